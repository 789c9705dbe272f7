"""Published sites and their revisions, as records keep them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from techdocs_server.domain.entity import EntityRef


@dataclass(frozen=True, slots=True)
class SitePointer:
    """Which revision a site serves.

    ``version`` grows by one with every move and never repeats, also over a
    deletion: it is what compare-and-set compares, and what makes the etag.
    ``source_etag`` is that of the source synced last. A rollback leaves it as it
    is, so that the next sync of the same source does not undo the rollback.
    ``manifest_bytes`` is that of the revision, so that whoever knows the pointer can
    read the site; 0 where it is not known. ``update_time`` is when it moved, by the
    clock of who moved it; None where it is not known.
    """

    revision: str
    version: int
    source_etag: str
    manifest_bytes: int = field(default=0, compare=False)
    update_time: datetime | None = field(default=None, compare=False)

    @property
    def etag(self) -> str:
        """Changes exactly when the pointer moves."""
        return f'"{self.version}"'


@dataclass(frozen=True, slots=True)
class Revision:
    """An immutable set of files. ``revision`` is the SHA-256 of its manifest.

    ``manifest_bytes`` is the manifest's size, the other half of its digest. A pinned
    one is kept whatever its age; nobody pins it by adding it.
    """

    entity: EntityRef
    revision: str
    create_time: datetime
    manifest_bytes: int
    file_count: int
    size_bytes: int
    build: str
    source_etag: str
    site_name: str
    site_description: str
    is_pinned: bool = False


@dataclass(frozen=True, slots=True)
class KeptRevision:
    """A revision that the records hold, with what decides how long they do.

    ``is_published`` says whether a pointer ever named it. With a ``delete_time`` nobody
    can open it any more, but readers who opened it before may still be in the middle of its files.
    """

    revision: Revision
    is_current: bool
    is_published: bool
    delete_time: datetime | None = None

    @property
    def is_visible(self) -> bool:
        """Whether readers can open it."""
        return self.is_published and self.delete_time is None


@dataclass(frozen=True, slots=True)
class Site:
    """A site as listings show it."""

    entity: EntityRef
    pointer: SitePointer
    title: str
    create_time: datetime
    update_time: datetime
    revision_count: int
