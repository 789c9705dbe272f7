"""What is kept of sites beside their blobs, for the day on which the records are lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.site_snapshot import SiteSnapshot

KEPT_SNAPSHOTS = 3
"""How many snapshots of a site are kept: the newest, and two to fall back to."""


@dataclass(frozen=True, slots=True)
class FoundSnapshot:
    """The newest snapshot of a site that can be read, None when there is none.

    ``newest_version`` is that of the newest snapshot, readable or not; ``problems`` say of
    those newer than the one found why they cannot be read.
    """

    entity: EntityRef
    snapshot: SiteSnapshot | None
    newest_version: int
    problems: tuple[str, ...] = ()


class SiteSnapshots(Protocol):
    """Snapshots of sites, by entity and key. Only `StorageUnavailable` leaves an implementation."""

    async def write(self, snapshot: SiteSnapshot) -> None:
        """Store a snapshot under its key; it survives a crash of this machine then.

        May be repeated, also by others at the same time. A reader sees all of it or nothing.
        """
        ...

    def newest(self) -> AsyncIterator[FoundSnapshot]:
        """Yield every site of which there is a snapshot, in the order of their entities.

        What lies among the snapshots and is none is left out.
        """
        ...

    async def prune(self, entity: EntityRef) -> None:
        """Remove snapshots of a site but the newest `KEPT_SNAPSHOTS`."""
        ...
