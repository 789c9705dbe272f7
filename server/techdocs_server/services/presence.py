"""Which contents an entity has already, so that they need not be sent again.

A digest is no proof of having the bytes: who could name one and be told that it is
stored, or publish it unsent, would look into the sites of others. So a content
counts as present for an entity only where its bytes came from that entity: a
revision of its site names it, or a lease holds it, which is taken for bytes that were
sent. All others are missing, whoever may have stored them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from datetime import timedelta

from techdocs_server.domain.digest import Digest
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import ContentCorrupt, RevisionNotFound, SiteNotFound
from techdocs_server.ports.blob_leases import BlobLeases
from techdocs_server.ports.blobs import BlobStore
from techdocs_server.ports.clock import Clock
from techdocs_server.ports.records import SiteRecords
from techdocs_server.services.reading import SiteReader

# A file that was in none of these is sent again, which costs its bytes. To read a manifest costs up to 10 MB each, so
# those of large sites are fewer: a reader keeps manifests of 200,000 files, and they must not all be of one site.
_NEWEST_REVISIONS = 10
_MOST_NAMED_FILES = 100_000


class BlobPresence:
    """Answers for one entity at a time, from its own revisions and leases only. ``grace`` is how long a lease holds."""

    def __init__(
        self,
        *,
        sites: SiteRecords,
        blobs: BlobStore,
        leases: BlobLeases,
        reader: SiteReader,
        clock: Clock,
        grace: timedelta,
    ) -> None:
        self._sites = sites
        self._blobs = blobs
        self._leases = leases
        self._reader = reader
        self._clock = clock
        self._grace = grace

    async def missing(self, entity: EntityRef, digests: Collection[Digest]) -> frozenset[Digest]:
        """Return those of the digests that the entity must send. Changes nothing. Raises `StorageUnavailable`."""
        wanted = frozenset(digests)
        own = await self._own(entity, wanted)
        return (wanted - own) | await self._blobs.missing(own)

    async def missing_and_kept(self, entity: EntityRef, digests: Collection[Digest]) -> frozenset[Digest]:
        """Return those of the digests that the entity must send; the others are kept from now on for the grace."""
        wanted = frozenset(digests)
        own = await self._own(entity, wanted)
        # Before the store is asked, so that what it answers stays true.
        await self.keep(entity, own)
        return (wanted - own) | await self._blobs.missing(own)

    async def keep(self, entity: EntityRef, digests: Collection[Digest]) -> None:
        """Lease digests whose bytes came from the entity. Raises `StorageUnavailable`."""
        await self._leases.take(entity, digests, until=self._clock.now() + self._grace)

    async def _own(self, entity: EntityRef, wanted: frozenset[Digest]) -> frozenset[Digest]:
        own = await self._leases.held(entity, wanted, now=self._clock.now())
        async for named in self._named(entity):
            if own == wanted:
                break
            own |= wanted.intersection(named)
        return own

    async def _named(self, entity: EntityRef) -> AsyncIterator[Collection[Digest]]:
        """Yield what the current revision of a site names, then each of its newest ones."""
        pointer = await self._sites.pointer(entity)
        if pointer is None:
            return
        newest = await self._sites.revisions(entity, after=None, limit=_NEWEST_REVISIONS)
        named = 0
        for revision in dict.fromkeys([pointer.revision, *(kept.revision for kept in newest)]):
            if named >= _MOST_NAMED_FILES:
                return
            try:
                view = await self._reader.open(entity, revision)
            except (ContentCorrupt, RevisionNotFound, SiteNotFound):
                continue  # damaged, or gone meanwhile: it names nothing
            named += len(view.manifest.files)
            yield view.manifest.files.values()
