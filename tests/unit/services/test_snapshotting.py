from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from techdocs_server.adapters.records.caching_sites import CachingSiteRecords
from techdocs_server.adapters.records.sql_saved_sites import SqlSavedSites
from techdocs_server.adapters.records.sql_sites import SqlSiteRecords
from techdocs_server.adapters.snapshots.memory import MemorySiteSnapshots
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.domain.site_snapshot import SiteSnapshot
from techdocs_server.services.snapshotting import Snapshotter

from tests.support.clocks import NOON
from tests.support.record_values import entity, published, revision
from tests.support.snapshots import found, newest
from tests.support.stores import open_database
from tests.support.waiting import eventually

SITE = entity("docs")
FIRST, SECOND = revision(SITE, "first"), revision(SITE, "second")


class FailingSnapshots(MemorySiteSnapshots):
    """A store that can be away, or hold on to a write."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = False
        self.cannot_save: EntityRef | None = None
        self.attempts = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def write(self, snapshot: SiteSnapshot) -> None:
        self.attempts += 1
        await self.gate.wait()
        if self.is_away or snapshot.entity == self.cannot_save:
            raise StorageUnavailable("the disk is full")
        await super().write(snapshot)


@dataclass
class Process:
    """The records, the store, and what runs beside them."""

    sites: CachingSiteRecords
    saved: SqlSavedSites
    snapshots: FailingSnapshots
    snapshotter: Snapshotter

    async def serves(self, of: EntityRef) -> str | None:
        """Return the revision that the store knows as a site's."""
        snapshot = await newest(self.snapshots, of)
        return None if snapshot is None or snapshot.pointer is None else snapshot.pointer.revision


@asynccontextmanager
async def process(folder: Path, *, interval_seconds: float = 60, hears: bool = True) -> AsyncIterator[Process]:
    """Run a snapshotter beside records; it hears of their changes unless told otherwise."""
    async with open_database(folder) as database:
        saved, snapshots = SqlSavedSites(database), FailingSnapshots()
        snapshotter = Snapshotter(saved, snapshots, interval_seconds=interval_seconds, after_failure_seconds=0.05)

        def heard(_: EntityRef) -> None:
            if hears:
                snapshotter.heard()

        running = asyncio.create_task(snapshotter.run())
        try:
            yield Process(CachingSiteRecords(SqlSiteRecords(database), changed=heard), saved, snapshots, snapshotter)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_every_change_is_saved_soon(tmp_path: Path) -> None:
    async with process(tmp_path) as running:
        pointer = await published(running.sites, FIRST)
        await eventually(lambda: _is(running, FIRST.revision), what="the first revision is saved")
        pointer = await published(running.sites, SECOND, expected=pointer)
        await eventually(lambda: _is(running, SECOND.revision), what="the second revision is saved")
        await running.sites.pin_revision(SITE, FIRST.revision, pinned=True, now=NOON)

        async def is_pinned() -> bool:
            snapshot = await newest(running.snapshots, SITE)
            return snapshot is not None and any(each.is_pinned for each in snapshot.revisions)

        await eventually(is_pinned, what="the pin is saved")
        await running.sites.delete_site(SITE, expected=pointer, now=NOON)
        await eventually(lambda: _is(running, None), what="the deletion is saved")
        # Removed after the newest one is there.
        await eventually(lambda: len(running.snapshots.contents) == 3, what="older ones are removed")


async def test_change_that_nobody_heard_of_is_saved_by_the_next_pass(tmp_path: Path) -> None:
    async with process(tmp_path, interval_seconds=0.05, hears=False) as running:
        await published(running.sites, FIRST)
        await eventually(lambda: _is(running, FIRST.revision), what="the revision is saved")


async def test_publishes_go_on_while_the_store_fails_and_are_saved_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with process(tmp_path) as running:
        running.snapshots.is_away = True
        pointer = await published(running.sites, FIRST)
        await eventually(lambda: running.snapshots.attempts > 2, what="it is tried again and again")
        await published(running.sites, SECOND, expected=pointer)
        assert running.snapshots.contents == {}
        running.snapshots.is_away = False
        await eventually(lambda: _is(running, SECOND.revision), what="the last state is saved")

        async def is_noted() -> bool:
            return not await running.saved.behind(after=None, limit=9)

        await eventually(is_noted, what="the site is noted as saved")
    assert [record.message for record in caplog.records].count("snapshots_failing") == 1


async def test_publish_does_not_wait_for_a_slow_store_and_is_not_forgotten(tmp_path: Path) -> None:
    async with process(tmp_path) as running:
        running.snapshots.gate.clear()
        pointer = await published(running.sites, FIRST)
        await eventually(lambda: running.snapshots.attempts, what="the first revision is on its way")
        async with asyncio.timeout(5):
            await published(running.sites, SECOND, expected=pointer)
        running.snapshots.gate.set()
        await eventually(lambda: _is(running, SECOND.revision), what="the second revision is saved")


async def test_site_that_cannot_be_saved_keeps_no_other_waiting(tmp_path: Path) -> None:
    async with process(tmp_path) as running:
        running.snapshots.cannot_save = entity("docs-0")
        for number in range(3):
            await published(running.sites, revision(entity(f"docs-{number}"), f"{number}"))

        async def others_are_saved() -> bool:
            return [site.name for site in await running.saved.behind(after=None, limit=9)] == ["docs-0"]

        await eventually(others_are_saved, what="all but one are saved")
        running.snapshots.cannot_save = None
        await eventually(lambda: len(running.snapshots.contents) == 3, what="that one is saved too")


async def test_saved_sites_are_not_written_again(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:
        sites, snapshots = SqlSiteRecords(database), FailingSnapshots()
        for number in range(3):
            await published(sites, revision(entity(f"docs-{number}"), f"{number}"))
        assert await Snapshotter(SqlSavedSites(database), snapshots).save_all() == 3
        assert await Snapshotter(SqlSavedSites(database), snapshots).save_all() == 0
        assert snapshots.attempts == len(await found(snapshots)) == 3


async def _is(running: Process, revision: str | None) -> bool:
    return bool(running.snapshots.contents) and await running.serves(SITE) == revision
