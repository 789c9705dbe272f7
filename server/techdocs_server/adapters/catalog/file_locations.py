"""Documentation of entities that Backstage's catalog has read from files."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from pathlib import Path

from techdocs_server.adapters.catalog.techdocs_source import LEADS_OUT, folder_source
from techdocs_server.adapters.catalog.url_source import Location, NoSource, location_of, registered_location_of
from techdocs_server.domain.catalog_entity import TECHDOCS_REF, KnownProblem, SourceRef
from techdocs_server.domain.entity import EntityRef


class FileLocations:
    """Finds the folders that ``dir:`` annotations of such entities name.

    A path in a catalog is what somebody registered, on whichever machine Backstage
    runs. It is taken for one of this machine only below ``root``, the folder that the
    operator names, and nowhere without it. And only an entity that the catalog itself
    has read from a file has a folder here, the one of that file: what its author says of
    a location chooses within that folder, and nothing beside it, which is another author's.
    """

    def __init__(self, root: Path | None) -> None:
        self._root = None if root is None else root.resolve()

    @property
    def looks_at_the_disk(self) -> bool:
        """Whether `source` may block."""
        return self._root is not None

    def source(self, ref: EntityRef, annotations: Mapping[str, object], target: str, site_name: str) -> SourceRef:
        """Return the source of ``dir:<target>``. Raises `NoSource`."""
        location = location_of(annotations)
        if location is None:
            message = f"Entity '{ref}' is missing location"
            raise NoSource("the catalog does not say where it stands", known=KnownProblem("Error", message, message))
        if posixpath.isabs(target) or posixpath.normpath(target).split("/")[0] == "..":
            raise NoSource(f"{TECHDOCS_REF} 'dir:' leads out of the folder of the entity's file", known=LEADS_OUT)
        own = self._folder_below_root(registered_location_of(annotations))
        folder = self._folder_below_root(location)
        if self._root is None or own is None or folder is None:
            raise NoSource(
                f"{TECHDOCS_REF} 'dir:' is relative to a file that is not below the folder this server may build from; "
                "the operator sets catalog_file_root, or the entity is registered by its URL without another location",
                location=("dir", target),
            )
        if not folder.resolve().is_relative_to(own.resolve()):
            raise NoSource(
                f"{location.annotation} leads out of the folder of the file that the catalog has read the entity from; "
                "leave it out, or name that folder or one below it",
                location=("dir", target),
            )
        return folder_source(target, folder=folder, root=self._root, site_name=site_name)

    def _folder_below_root(self, location: Location | None) -> Path | None:
        """Return the folder of a file's location, None for a page, and for a folder that is not below the root."""
        if self._root is None or location is None or location.type != "file":
            return None
        folder = Path(location.target).parent
        try:
            is_below = folder.is_absolute() and folder.resolve().is_relative_to(self._root)
        # RuntimeError: a loop of links, up to Python 3.12. ValueError: a null character.
        except (OSError, RuntimeError, ValueError):
            return None
        return folder if is_below else None
