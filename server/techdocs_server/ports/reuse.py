"""What a build leaves for the next build of the same site."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from techdocs_server.domain.entity import EntityRef


class ReuseStates(Protocol):
    """Keeps one folder for each site: data of the generator, of no use but to go faster.

    A folder comes from a build, so its content is anything: nothing here reads it, and
    the generator says in it which toolchain it is of. Nothing here raises: what cannot
    be kept or found costs the next build time, and is logged. One build of an entity
    runs at a time, and only builds call `find` and `keep`.
    """

    @property
    def keeps_any(self) -> bool:
        """Whether `keep` may keep something; if not, a build need leave nothing."""
        ...

    async def find(self, entity: EntityRef, *, revision: str) -> Path | None:
        """Return the folder that the build of this revision left; None when there is none.

        It is read, not written. It may go away while it is read, when another site
        needs the room; files that were opened before stay whole.
        """
        ...

    async def keep(self, entity: EntityRef, folder: Path, *, revision: str) -> None:
        """Take a folder over in place of what there was of the site.

        Whenever the process dies there is the old state, the new one or none. A folder
        that holds nothing, too much, or anything but regular files of its own (links,
        folders, files that have another name elsewhere) is not kept, and neither is
        what there was: it is of an older revision.
        """
        ...

    async def forget(self, entity: EntityRef) -> None:
        """Remove what there is of a site."""
        ...
