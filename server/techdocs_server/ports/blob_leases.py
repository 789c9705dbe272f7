"""Who needs which blobs although no revision names them yet."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from techdocs_server.domain.digest import Digest
from techdocs_server.domain.entity import EntityRef


class BlobLeases(Protocol):
    """Leases: until its end, the bytes of a digest are not collected, and count as an entity's own.

    Only `StorageUnavailable` leaves an implementation. Every method is atomic.
    """

    async def take(self, entity: EntityRef, digests: Collection[Digest], *, until: datetime) -> None:
        """Lease digests for an entity, or make its leases longer; none becomes shorter.

        Taken before the store is asked whether it has the bytes, so that what it
        answers stays true. Waits while one of them is being deleted, which takes a
        moment; after half a minute that is `StorageUnavailable`, and nothing is leased.
        """
        ...

    async def held(self, entity: EntityRef, digests: Collection[Digest], *, now: datetime) -> frozenset[Digest]:
        """Return those of the digests that the entity holds a lease of. It says nothing of other entities."""
        ...
