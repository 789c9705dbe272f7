"""What the records promise of snapshots, over every database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from techdocs_server.adapters.records.sql_changes import SqlChangeRecords
from techdocs_server.adapters.records.sql_saved_sites import SqlSavedSites
from techdocs_server.adapters.records.sql_sites import SqlSiteRecords
from techdocs_server.domain.change import SiteAction
from techdocs_server.domain.site_snapshot import MOST_REVISIONS, SiteSnapshot

from tests.support.clocks import NOON
from tests.support.record_values import entity, published, revision
from tests.support.snapshots import deleted, snapshot
from tests.support.stores import open_database

SITE = entity("docs")
FIRST = revision(SITE, "first")
SECOND = revision(SITE, "second", create_time=NOON + timedelta(hours=1))


@dataclass
class Records:
    """All that one database is asked for."""

    sites: SqlSiteRecords
    saved: SqlSavedSites
    changes: SqlChangeRecords

    async def behind(self) -> list[str]:
        """Return the names of the sites that are behind."""
        return [each.name for each in await self.saved.behind(after=None, limit=100)]

    async def snapshot(self) -> SiteSnapshot:
        """Return the snapshot of the site."""
        taken = await self.saved.snapshot(SITE)
        assert taken is not None
        return taken


@pytest.fixture(params=["sqlite", "postgresql"])
async def records(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Records]:
    server = request.getfixturevalue("postgresql_server") if request.param == "postgresql" else None
    async with open_database(tmp_path, server) as database:
        yield Records(SqlSiteRecords(database), SqlSavedSites(database), SqlChangeRecords(database))


async def test_site_is_behind_after_every_kind_of_change_until_it_is_saved(records: Records) -> None:
    await records.sites.add_revision(FIRST)
    assert await records.behind() == []
    assert await records.saved.snapshot(SITE) is None

    async def published_first() -> None:
        await published(records.sites, FIRST)

    async def published_second() -> None:
        await published(records.sites, SECOND, expected=await records.sites.pointer(SITE))

    async def pinned() -> None:
        await records.sites.pin_revision(SITE, FIRST.revision, pinned=True, now=NOON)

    async def unpinned() -> None:
        await records.sites.pin_revision(SITE, FIRST.revision, pinned=False, now=NOON)

    async def revision_gone() -> None:
        await records.sites.delete_revision(SITE, FIRST.revision, now=NOON)

    async def site_gone() -> None:
        pointer = await records.sites.pointer(SITE)
        assert pointer is not None
        await records.sites.delete_site(SITE, expected=pointer, now=NOON)

    keys = []
    for change in (published_first, published_second, pinned, unpinned, revision_gone, site_gone, published_first):
        await change()
        assert await records.behind() == ["docs"], change.__name__
        taken = await records.snapshot()
        keys.append(taken.key)
        await records.saved.saved(taken)
        assert await records.behind() == [], change.__name__
    assert keys == sorted(set(keys)), "no two states have one name, and later ones have higher names"


async def test_snapshot_has_what_readers_see(records: Records) -> None:
    pointer = await published(records.sites, FIRST)
    pointer = await published(records.sites, SECOND, expected=pointer, now=NOON + timedelta(hours=2))
    await records.sites.pin_revision(SITE, FIRST.revision, pinned=True, now=NOON)
    await records.sites.add_revision(revision(SITE, "never published"))
    taken = await records.snapshot()
    assert taken.pointer == pointer
    assert (taken.create_time, taken.update_time) == (NOON, NOON + timedelta(hours=2))
    assert taken.revisions == (SECOND, replace(FIRST, is_pinned=True))
    await records.sites.delete_site(SITE, expected=pointer, now=NOON)
    gone = await records.snapshot()
    assert (gone.pointer, gone.create_time, gone.revisions) == (None, None, ())
    assert gone.key > taken.key


async def test_snapshot_of_a_long_history_has_the_current_the_pinned_and_the_newest_revisions(records: Records) -> None:
    pointer = None
    for number in range(MOST_REVISIONS + 5):
        made = revision(SITE, f"{number}", create_time=NOON + timedelta(minutes=number))
        pointer = await published(records.sites, made, expected=pointer)
        if number == 1:
            await records.sites.pin_revision(SITE, made.revision, pinned=True, now=NOON)
    assert pointer is not None
    first = revision(SITE, "0")
    await records.sites.move_pointer(SITE, to=first.revision, source_etag="", expected=pointer, now=NOON)
    kept = [each.build for each in (await records.snapshot()).revisions]
    assert kept[:3] == ["builds/0", "builds/1", f"builds/{MOST_REVISIONS + 4}"]
    assert len(kept) == MOST_REVISIONS
    assert "builds/2" not in kept


async def test_change_between_snapshot_and_note_leaves_the_site_behind(records: Records) -> None:
    await published(records.sites, FIRST)
    taken = await records.snapshot()
    await records.sites.pin_revision(SITE, FIRST.revision, pinned=True, now=NOON)
    await records.saved.saved(taken)
    assert await records.behind() == ["docs"]
    newer = await records.snapshot()
    await records.saved.saved(newer)
    await records.saved.saved(taken)
    assert await records.behind() == []


async def test_no_change_is_lost_however_savers_and_changes_fall_together(records: Records) -> None:
    await published(records.sites, FIRST)

    saved: list[SiteSnapshot] = []

    async def save() -> None:
        for _ in range(20):
            saved.append(await records.snapshot())
            await records.saved.saved(saved[-1])

    async def pin() -> None:
        for number in range(20):
            await records.sites.pin_revision(SITE, FIRST.revision, pinned=number % 2 == 0, now=NOON)

    await asyncio.gather(save(), pin(), save())
    assert await records.behind() or await records.snapshot() in saved


async def test_sites_behind_come_page_by_page(records: Records) -> None:
    names = [f"docs-{number}" for number in range(5)]
    for name in names:
        await published(records.sites, revision(entity(name), name))
    first = await records.saved.behind(after=None, limit=2)
    rest = await records.saved.behind(after=first[-1], limit=10)
    assert [each.name for each in (*first, *rest)] == names


async def test_restored_site_is_as_it_was_with_a_version_of_its_own(records: Records) -> None:
    assert not await records.saved.has_sites()
    second = replace(SECOND, is_pinned=True)
    lost = snapshot(SITE, 7, 9, revisions=[FIRST, second])
    later = NOON + timedelta(days=1)
    assert await records.saved.restore(lost, version=9, now=later)
    assert await records.saved.has_sites()
    pointer = await records.sites.pointer(SITE)
    assert pointer is not None
    assert (pointer.revision, pointer.version, pointer.source_etag) == (FIRST.revision, 9, "source-7")
    site = await records.sites.site(SITE)
    assert site is not None
    assert (site.create_time, site.update_time, site.revision_count) == (NOON, NOON, 2)
    assert await records.sites.revisions(SITE, after=None, limit=9) == [second, FIRST]
    (change,) = await records.changes.changes(entity=SITE, before=None, limit=9)
    assert (change.cause.action, change.revision, change.version) == (SiteAction.RECOVERED, FIRST.revision, 9)
    assert await records.behind() == ["docs"]
    # The lost records' count of changes was higher than theirs; the version decides.
    assert (await records.snapshot()).key > lost.key


async def test_site_that_is_there_or_was_deleted_is_not_restored(records: Records) -> None:
    lost = snapshot(SITE, 7, revisions=[SECOND])
    pointer = await published(records.sites, FIRST)
    assert not await records.saved.restore(lost, version=99, now=NOON)
    await records.sites.delete_site(SITE, expected=pointer, now=NOON)
    assert not await records.saved.restore(lost, version=99, now=NOON)
    assert await records.sites.pointer(SITE) is None
    assert await records.sites.revisions(SITE, after=None, limit=9) == []


async def test_site_restored_as_deleted_goes_on_counting(records: Records) -> None:
    assert await records.saved.restore(deleted(SITE, 7), version=8, now=NOON)
    assert await records.sites.pointer(SITE) is None
    assert (await published(records.sites, FIRST)).version == 9


async def test_reserved_version_is_kept_and_the_site_stays_missing(records: Records) -> None:
    await records.saved.reserve(SITE, version=8)
    assert await records.behind() == []
    await records.saved.reserve(SITE, version=5)
    assert await records.saved.restore(snapshot(SITE, 7, revisions=[FIRST]), version=9, now=NOON)
    other = entity("other")
    await records.saved.reserve(other, version=8)
    assert (await published(records.sites, revision(other, "first"))).version == 9
    await records.saved.reserve(other, version=50)
    pointer = await records.sites.pointer(other)
    assert pointer is not None
    assert pointer.version == 9


async def test_restoring_finds_a_revision_that_is_not_published_yet(records: Records) -> None:
    await records.sites.add_revision(replace(FIRST, site_name="Other"))
    assert await records.saved.restore(snapshot(SITE, 7, revisions=[FIRST]), version=8, now=NOON)
    assert await records.sites.revision(SITE, FIRST.revision) == FIRST
