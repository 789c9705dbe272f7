"""How long a collector relies on what it read, and publishers on their leases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from techdocs_server.adapters.blobs.memory import MemoryBlobStore
from techdocs_server.adapters.records.memory import MemorySiteRecords
from techdocs_server.domain.change import Cause
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.domain.site import KeptRevision
from techdocs_server.services.committing import NewRevision, RevisionCommitter
from techdocs_server.services.lease_times import LEASE, LIVE_SET, LONGEST_PUBLISH
from techdocs_server.services.live_blobs import LiveBlobs
from techdocs_server.services.retention import Retention
from techdocs_server.services.sweeping import BlobSweep

from tests.support.blob_content import stored
from tests.support.clocks import NOON, ManualClock
from tests.support.record_values import entity, revision

SITE = entity("docs")
_SLOW_CALLS = timedelta(minutes=5)


def test_leases_of_an_added_revision_last_longer_than_a_collector_relies_on_what_it_read() -> None:
    assert LEASE - LONGEST_PUBLISH > LIVE_SET + _SLOW_CALLS


async def test_publish_that_takes_too_long_for_its_leases_adds_no_revision() -> None:
    sites, blobs, clock = MemorySiteRecords(), MemoryBlobStore(), ManualClock()
    committer = RevisionCommitter(sites, blobs, sites.sweeping.leases, clock)
    page = await stored(blobs, b"page")
    draft = committer.draft(NewRevision(SITE, {"index.html": page}, "Docs", "", "", "", None))
    await committer.lease(draft, [page])
    clock.advance(LONGEST_PUBLISH.total_seconds() + 1)
    with pytest.raises(StorageUnavailable):
        await committer.commit_draft(draft, cause=Cause())
    assert await sites.sweeping.kept(after=None, limit=10) == []


async def test_commit_leases_what_it_stores_itself() -> None:
    sites, blobs, clock = MemorySiteRecords(), MemoryBlobStore(), ManualClock()
    committer = RevisionCommitter(sites, blobs, sites.sweeping.leases, clock)
    page = await stored(blobs, b"page")
    new = NewRevision(SITE, {"index.html": page}, "Docs", "", "", "", None)
    published, files = await committer.commit(new, cause=Cause())
    own = {digest for path, digest in files.items() if path != "index.html"}
    held = await sites.sweeping.leases.held(SITE, [*own, page], now=clock.now())
    assert held == own
    assert sites.sweeping.leases.names(published.revision, clock.now())


async def test_what_was_read_too_long_ago_is_read_again_before_anything_goes() -> None:
    sites, blobs, clock = MemorySiteRecords(), MemoryBlobStore(), ManualClock()
    await stored(blobs, b"rubbish")
    live = LiveBlobs(sites.sweeping, blobs)
    sweep = BlobSweep(live, blobs, None, sites.sweeping.leases, clock, live_set=timedelta(0))
    with pytest.raises(StorageUnavailable):
        await sweep.run(young_after=clock.now() + timedelta(days=3650), dry_run=False)
    assert [blob.sha256 async for blob in blobs.stored()] == [Digest.of(b"rubbish").sha256]


def rows(count: int, *, current: int = -1, pinned: int = -1) -> list[KeptRevision]:
    made = [revision(SITE, str(day), create_time=NOON - timedelta(days=day)) for day in range(count)]
    return [
        KeptRevision(replace(one, is_pinned=day == pinned), is_current=day == current, is_published=True)
        for day, one in enumerate(made)
    ]


def days(kept: Retention, site: list[KeptRevision]) -> list[int]:
    return [(NOON - row.revision.create_time).days for row in kept.retired(site, now=NOON)]


def test_revision_goes_only_when_it_is_both_beyond_the_number_and_too_old() -> None:
    assert days(Retention(3, timedelta(days=6)), rows(10)) == [6, 7, 8, 9]
    assert days(Retention(8, timedelta(days=6)), rows(10)) == [8, 9]
    assert days(Retention(3, timedelta(0)), rows(6)) == [3, 4, 5]
    assert days(Retention(10, timedelta(0)), rows(10)) == []


def test_current_and_pinned_revisions_stay_whatever_their_age() -> None:
    assert days(Retention(2, timedelta(0)), rows(6, current=5, pinned=3)) == [2, 4]


def test_deleted_and_unpublished_revisions_take_no_place() -> None:
    site = rows(4)
    deleted = KeptRevision(site[0].revision, is_current=False, is_published=True, delete_time=NOON)
    unpublished = KeptRevision(site[1].revision, is_current=False, is_published=False)
    assert days(Retention(2, timedelta(0)), [deleted, unpublished, *site[2:]]) == []
