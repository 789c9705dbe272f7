"""Published sites and their revisions, as records keep them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from techdocs_server.domain.entity import EntityRef


@dataclass(frozen=True, slots=True)
class SitePointer:
    """Which revision a site serves.

    ``version`` grows by one with every move and never repeats, also over a
    deletion: it is what compare-and-set compares, and what makes the etag.
    ``source_etag`` is that of the source synced last. A rollback leaves it as it
    is, so that the next sync of the same source does not undo the rollback.
    """

    revision: str
    version: int
    source_etag: str

    @property
    def etag(self) -> str:
        """Changes exactly when the pointer moves."""
        return f'"{self.version}"'


@dataclass(frozen=True, slots=True)
class Revision:
    """An immutable set of files. ``revision`` is the SHA-256 of its manifest.

    ``manifest_bytes`` is the manifest's size, the other half of its digest.
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


@dataclass(frozen=True, slots=True)
class Site:
    """A site as listings show it."""

    entity: EntityRef
    pointer: SitePointer
    title: str
    create_time: datetime
    update_time: datetime
    revision_count: int
