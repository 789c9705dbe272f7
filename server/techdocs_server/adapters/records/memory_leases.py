"""Leases of blobs in memory, and what is doomed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import datetime

from techdocs_server.adapters.records.doom_wait import DoomWait
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.upkeep_errors import CollectionRunning


class MemoryBlobLeases:
    """BlobLeases, and BlobDooming, that are gone with their process. They have no bound."""

    def __init__(self, *, wait: DoomWait = DoomWait()) -> None:  # noqa: B008 - it does not change
        self._leases: dict[tuple[EntityRef, Digest], datetime] = {}
        self._doomed: set[str] = set()
        self._collector = asyncio.Lock()
        self._wait = wait

    async def take(self, entity: EntityRef, digests: Collection[Digest], *, until: datetime) -> None:
        """Lease digests for an entity, or make its leases longer."""

        async def take() -> bool:
            if any(digest.sha256 in self._doomed for digest in digests):
                return False
            for digest in digests:
                self._leases[entity, digest] = max(until, self._leases.get((entity, digest), until))
            return True

        await self._wait.until_taken(take, nobody_collects=self._nobody_collects, let_go=self._let_go)

    async def held(self, entity: EntityRef, digests: Collection[Digest], *, now: datetime) -> frozenset[Digest]:
        """Return those of the digests that the entity holds a lease of."""
        return frozenset(digest for digest in digests if self._leases.get((entity, digest), now) > now)

    @asynccontextmanager
    async def collecting(self) -> AsyncIterator[None]:
        """Return the context in which one collector works."""
        if self._collector.locked():
            raise CollectionRunning
        async with self._collector:
            if self._doomed:
                await asyncio.sleep(self._wait.abandoned)
                self._doomed.clear()
            yield

    async def unleased(self, sha256s: Collection[str], *, now: datetime) -> frozenset[str]:
        """Return those that no lease names now."""
        leased = {digest.sha256 for (_, digest), until in self._leases.items() if until > now}
        return frozenset(sha256s) - leased

    async def doom(self, sha256s: Collection[str], *, now: datetime) -> frozenset[str]:
        """Doom those that no lease names now, and return them."""
        doomed = await self.unleased(sha256s, now=now)
        self._doomed |= doomed
        return doomed

    async def spare(self, sha256s: Collection[str]) -> None:
        """End what `doom` began."""
        self._doomed.difference_update(sha256s)

    async def forget_leases(self, *, until: datetime) -> None:
        """Forget leases that ended at that time or before."""
        self._leases = {lease: end for lease, end in self._leases.items() if end > until}

    def names(self, sha256: str, now: datetime) -> bool:
        """Whether a lease names a digest now."""
        return any(digest.sha256 == sha256 and until > now for (_, digest), until in self._leases.items())

    async def _nobody_collects(self) -> bool:
        return not self._collector.locked()

    async def _let_go(self) -> None:
        self._doomed.clear()
