"""What the records know of snapshots: which sites need one, and what is made again from one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.site_snapshot import SiteSnapshot


class SavedSites(Protocol):
    """Which state of each site the store of contents knows. Only `StorageUnavailable` leaves an implementation."""

    async def behind(self, *, after: EntityRef | None, limit: int) -> Sequence[EntityRef]:
        """Return sites that have changed since they were saved, in the order of their entities, deleted ones too."""
        ...

    async def snapshot(self, entity: EntityRef) -> SiteSnapshot | None:
        """Return a site as it is now, or None when nothing was ever published of it."""
        ...

    async def saved(self, snapshot: SiteSnapshot) -> None:
        """Note that the store has a snapshot. Of no effect when the site has changed since it was taken."""
        ...


class SiteRestoring(Protocol):
    """What makes sites again. Only `StorageUnavailable` leaves an implementation. Every method is atomic."""

    async def has_sites(self) -> bool:
        """Say whether the records know of any site, be it a deleted one."""
        ...

    async def is_missing(self, entity: EntityRef) -> bool:
        """Say whether a site has no pointer, and nothing was ever written down of it."""
        ...

    async def restore(self, snapshot: SiteSnapshot, *, version: int, now: datetime) -> bool:
        """Make a site as it was, with a version for its pointer, and write the change down; say whether it was missing.

        Nothing is changed of others, nor when a version as high was reserved. A deleted one is made as deleted.
        """
        ...

    async def reserve(self, entity: EntityRef, *, version: int) -> None:
        """Let the next pointer of a site that is missing have a version above the one given.

        The site stays missing, for a `restore` with a higher version, and no snapshot of it is taken.
        """
        ...
