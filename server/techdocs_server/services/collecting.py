"""Deleting what nobody needs any more: revisions by age and number, then blobs that no revision names.

A blob is needed when a revision names it, or did until less than the grace ago; when
somebody leased it; or when it was written less than the grace ago. Everything else
goes, batch by batch, beside publishes and readers that know nothing of it:

* A publisher leases what it needs *before* it asks the store what is missing.
* A batch is doomed but for what is leased, deleted, and let go. Nobody gets a lease
  of what is doomed. So a publisher leases first, and the blob stays; or it waits,
  finds the blob missing, and stores it again.
* Which blobs are live is read after the collector began, and relied on for less time
  than the leases last of any revision added meanwhile; see `lease_times`.
* A manifest that cannot be read ends the collection: what it names is not known.
* A deletion that failed leaves its batch doomed for a while: it may still arrive.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from techdocs_server.domain.change import Cause, SiteAction
from techdocs_server.domain.errors import RevisionNotFound, TechDocsError
from techdocs_server.domain.site import KeptRevision
from techdocs_server.domain.upkeep_errors import CollectionRunning, RevisionIsCurrent, RevisionPinned
from techdocs_server.ports.blobs import BlobStore, BlobSweeping
from techdocs_server.ports.clock import Clock
from techdocs_server.ports.dooming import BlobDooming
from techdocs_server.ports.records import SiteRecords
from techdocs_server.ports.retention import RevisionSweeping
from techdocs_server.ports.variants import VariantStore
from techdocs_server.services.live_blobs import LiveBlobs, RevisionKey, all_sites, key_of
from techdocs_server.services.retention import Retention
from techdocs_server.services.sweeping import BlobSweep, SweptBlobs

_log = logging.getLogger(__name__)

# A server that is restarted every day collects all the same.
_FIRST_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection did, or would have done."""

    is_dry_run: bool
    blobs: SweptBlobs = field(default_factory=SweptBlobs)
    deleted_revisions: int = 0
    forgotten_revisions: int = 0
    duration_seconds: float = 0.0


class Collector:
    """Collects garbage when asked, or with `run` from time to time.

    ``manifests`` is the store to read from, ``blobs`` what deletes: it may be a cache
    that has to forget. ``variants`` go with their blobs.
    """

    def __init__(
        self,
        *,
        sites: SiteRecords,
        revisions: RevisionSweeping,
        dooming: BlobDooming,
        manifests: BlobStore,
        blobs: BlobSweeping,
        variants: VariantStore | None,
        clock: Clock,
        retention: Retention,
        grace: timedelta,
    ) -> None:
        self._sites = sites
        self._revisions = revisions
        self._dooming = dooming
        self._manifests = manifests
        self._blobs = blobs
        self._variants = variants
        self._clock = clock
        self._retention = retention
        self._grace = grace

    async def run(self, *, interval_seconds: float) -> None:
        """Collect until cancelled. What fails is logged and tried again next time."""
        pause = min(interval_seconds, _FIRST_SECONDS)
        while True:
            # Spread, so that servers that were started together do not all begin together.
            await asyncio.sleep(pause * random.uniform(0.9, 1.1))  # noqa: S311 - guards nothing
            pause = interval_seconds
            try:
                await self.collect(dry_run=False)
            except CollectionRunning:
                continue  # another server does it
            except TechDocsError as error:
                _log.warning("collection_failed", extra={"problem": error.message})

    async def collect(self, *, dry_run: bool) -> Collected:
        """Collect, and return the figures; a dry run changes nothing and has the same.

        Raises `CollectionRunning`, `ManifestUnreadable` and `StorageUnavailable`; what
        was deleted before stays deleted, and nothing that is needed is among it.
        """
        begun = time.monotonic()
        async with self._dooming.collecting():
            now = self._clock.now()
            done, left_out = await self._tidy_revisions(Collected(is_dry_run=dry_run), now)
            if not dry_run:
                await self._dooming.forget_leases(until=now)
            live = LiveBlobs(self._revisions, self._manifests, without=left_out)
            sweep = BlobSweep(live, self._blobs, self._variants, self._dooming, self._clock)
            swept = await sweep.run(young_after=now - self._grace, dry_run=dry_run)
            done = replace(done, blobs=swept, duration_seconds=time.monotonic() - begun)
        _log.info(
            "garbage_collected",
            extra={
                "dry_run": dry_run,
                "kept_blobs": done.blobs.kept,
                "deleted_blobs": done.blobs.deleted,
                "deleted_bytes": done.blobs.deleted_bytes,
                "deleted_revisions": done.deleted_revisions,
                "duration_seconds": round(done.duration_seconds, 3),
            },
        )
        return done

    async def _tidy_revisions(self, done: Collected, now: datetime) -> tuple[Collected, frozenset[RevisionKey]]:
        """Delete what is too old, forget what nobody can be reading; return what a dry run would have forgotten."""
        left_out: set[RevisionKey] = set()
        async for site in all_sites(self._revisions):
            retired = {key_of(row) for row in self._retention.retired(site, now=now)}
            over = [row for row in site if self._is_over(row, now) or (key_of(row) in retired and not self._grace)]
            if done.is_dry_run:
                forgotten = await self._forgettable(over, now)
                left_out |= forgotten
                deleted, count = len(retired), len(forgotten)
            else:
                deleted = sum([await self._delete_revision(key, now) for key in sorted(retired)])
                keys = [key_of(row) for row in over]
                count = await self._revisions.purge(keys, deleted_until=now - self._grace, now=now) if keys else 0
            done = replace(
                done,
                deleted_revisions=done.deleted_revisions + deleted,
                forgotten_revisions=done.forgotten_revisions + count,
            )
        return done, frozenset(left_out)

    def _is_over(self, row: KeptRevision, now: datetime) -> bool:
        """Whether a revision was deleted, or left unpublished, so long ago that the records need it no more."""
        if row.delete_time is not None:
            return row.delete_time <= now - self._grace
        return not row.is_published and row.revision.create_time <= now - self._grace

    async def _forgettable(self, over: Sequence[KeptRevision], now: datetime) -> set[RevisionKey]:
        """Return those that `RevisionSweeping.purge` would forget."""
        unpublished = [row.revision.revision for row in over if not row.is_published and row.delete_time is None]
        unleased = await self._dooming.unleased(unpublished, now=now) if unpublished else frozenset()
        return {
            key_of(row)
            for row in over
            if row.is_published or row.delete_time is not None or row.revision.revision in unleased
        }

    async def _delete_revision(self, key: RevisionKey, now: datetime) -> bool:
        # It may have become the current one, or been pinned or deleted, since it was looked at.
        with suppress(RevisionIsCurrent, RevisionNotFound, RevisionPinned):
            await self._sites.delete_revision(*key, now=now, cause=Cause(SiteAction.REVISION_DELETED))
            return True
        return False
