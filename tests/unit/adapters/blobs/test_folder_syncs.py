"""Many puts share few syncs, and none returns before its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Collection

import pytest
from techdocs_server.adapters.blobs.folder_syncs import FolderSyncs
from techdocs_server.adapters.thread_pool import ThreadPool
from techdocs_server.domain.errors import StorageUnavailable

from tests.support.waiting import eventually


class SlowDisk:
    """Syncs when the test lets it, and remembers what."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.may_go_on = threading.Event()
        self.is_broken = False

    def sync(self, folders: Collection[str]) -> None:
        self.batches.append(list(folders))
        assert self.may_go_on.wait(10)
        if self.is_broken:
            raise StorageUnavailable("the disk is broken")


@pytest.fixture
async def threads() -> AsyncIterator[ThreadPool]:
    pool = ThreadPool(2, name="test")
    yield pool
    await pool.close()


@pytest.fixture
def disk() -> SlowDisk:
    return SlowDisk()


@pytest.fixture
def syncs(disk: SlowDisk, threads: ThreadPool) -> FolderSyncs:
    return FolderSyncs(disk.sync, threads=threads)


async def test_those_who_come_during_a_sync_share_the_next(syncs: FolderSyncs, disk: SlowDisk) -> None:
    first = asyncio.create_task(syncs.synced("aa"))
    await eventually(lambda: disk.batches, what="the first sync began")
    # One of them asks for the folder that is being synced: its own rename may be too late for that.
    others = [asyncio.create_task(syncs.synced(folder)) for folder in ("cc", "bb", "aa", "bb")]
    await asyncio.sleep(0)
    disk.may_go_on.set()
    await asyncio.gather(first, *others)
    assert disk.batches == [["aa"], ["aa", "bb", "cc"]]


async def test_all_of_a_batch_learn_that_it_failed(syncs: FolderSyncs, disk: SlowDisk) -> None:
    disk.is_broken = True
    first, *others = await _begun(syncs, disk, "abcd")
    disk.may_go_on.set()
    outcomes = await asyncio.gather(first, *others, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StorageUnavailable] * 4
    assert disk.batches == [["a"], ["b", "c", "d"]]
    disk.is_broken = False
    await syncs.synced("b")


async def test_cancelled_callers_leave_no_one_waiting(syncs: FolderSyncs, disk: SlowDisk) -> None:
    first, second, third, fourth = await _begun(syncs, disk, "abcd")
    # One does the work, the other was next to do it.
    first.cancel()
    second.cancel()
    disk.may_go_on.set()
    await asyncio.gather(third, fourth)
    cancelled = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(outcome) for outcome in cancelled] == [asyncio.CancelledError] * 2
    assert disk.batches == [["a"], ["b", "c", "d"]]


async def _begun(syncs: FolderSyncs, disk: SlowDisk, folders: str) -> list[asyncio.Task[None]]:
    """Return a caller for each folder; the first one's sync is under way, the others wait for the next."""
    callers = [asyncio.create_task(syncs.synced(folder)) for folder in folders]
    await eventually(lambda: disk.batches, what="the first sync began")
    return callers
