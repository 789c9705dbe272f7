"""One pass over a blob store that deletes what is not live, not leased and not young."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.ports.blobs import BlobSweeping, StoredBlob
from techdocs_server.ports.clock import Clock
from techdocs_server.ports.dooming import BlobDooming
from techdocs_server.ports.variants import VariantStore
from techdocs_server.services.lease_times import LIVE_SET
from techdocs_server.services.live_blobs import LiveBlobs

# Deleting so many files takes about a second, and as long a publisher may wait for one of them.
_BATCH = 500
_MOST_READS = 3


@dataclass(frozen=True, slots=True)
class SweptBlobs:
    """How many blobs, and bytes, stay and went."""

    kept: int = 0
    kept_bytes: int = 0
    deleted: int = 0
    deleted_bytes: int = 0

    def plus(self, kept: Sequence[StoredBlob] = (), deleted: Sequence[StoredBlob] = ()) -> SweptBlobs:
        """Return the figures with some more."""
        return SweptBlobs(
            self.kept + len(kept),
            self.kept_bytes + sum(blob.size_bytes for blob in kept),
            self.deleted + len(deleted),
            self.deleted_bytes + sum(blob.size_bytes for blob in deleted),
        )


class BlobSweep:
    """Made for one pass, inside of `BlobDooming.collecting`. ``live`` is read here."""

    def __init__(
        self,
        live: LiveBlobs,
        blobs: BlobSweeping,
        variants: VariantStore | None,
        dooming: BlobDooming,
        clock: Clock,
        *,
        live_set: timedelta = LIVE_SET,
    ) -> None:
        self._live = live
        self._blobs = blobs
        self._variants = variants
        self._dooming = dooming
        self._clock = clock
        self._live_seconds = live_set.total_seconds()
        self._live_since = float("-inf")

    async def run(self, *, young_after: datetime, dry_run: bool) -> SweptBlobs:
        """Delete, or only count. Raises `ManifestUnreadable` and `StorageUnavailable`."""
        await self._freshen()
        swept = SweptBlobs()
        batch: list[StoredBlob] = []
        async for blob in self._blobs.stored():
            if blob.sha256 in self._live or blob.write_time > young_after:
                swept = swept.plus(kept=[blob])
                continue
            batch.append(blob)
            if len(batch) == _BATCH:
                swept = await self._judge(batch, swept, dry_run=dry_run)
                batch = []
        return await self._judge(batch, swept, dry_run=dry_run) if batch else swept

    async def _judge(self, batch: Sequence[StoredBlob], swept: SweptBlobs, *, dry_run: bool) -> SweptBlobs:
        await self._freshen()
        unneeded = [blob.sha256 for blob in batch if blob.sha256 not in self._live]
        if dry_run:
            gone = await self._dooming.unleased(unneeded, now=self._clock.now())
        else:
            gone = await self._delete(unneeded)
        return swept.plus(
            kept=[blob for blob in batch if blob.sha256 not in gone],
            deleted=[blob for blob in batch if blob.sha256 in gone],
        )

    async def _delete(self, unneeded: Sequence[str]) -> frozenset[str]:
        doomed = await self._dooming.doom(unneeded, now=self._clock.now())
        # When one of these fails they stay doomed: a deletion that was sent may still arrive.
        await self._blobs.delete(doomed)
        if self._variants is not None:
            await self._variants.delete(doomed)
        await self._dooming.spare(doomed)
        return doomed

    async def _freshen(self) -> None:
        """Make sure that what is live was read lately enough to be relied on."""
        for _ in range(_MOST_READS):
            if time.monotonic() - self._live_since < self._live_seconds:
                return
            # From before the first row is read: what is added from now on may be missed.
            self._live_since = time.monotonic()
            await self._live.read()
        if time.monotonic() - self._live_since >= self._live_seconds:
            raise StorageUnavailable("reading all manifests takes too long")
