"""Leases of blobs in memory."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from techdocs_server.domain.digest import Digest
from techdocs_server.domain.entity import EntityRef


class MemoryBlobLeases:
    """BlobLeases that are gone with their process. They have no bound."""

    def __init__(self) -> None:
        self._leases: dict[tuple[EntityRef, Digest], datetime] = {}

    async def take(self, entity: EntityRef, digests: Collection[Digest], *, until: datetime) -> None:
        """Lease digests for an entity, or make its leases longer."""
        for digest in digests:
            self._leases[entity, digest] = max(until, self._leases.get((entity, digest), until))

    async def held(self, entity: EntityRef, digests: Collection[Digest], *, now: datetime) -> frozenset[Digest]:
        """Return those of the digests that the entity holds a lease of."""
        return frozenset(digest for digest in digests if self._leases.get((entity, digest), now) > now)
