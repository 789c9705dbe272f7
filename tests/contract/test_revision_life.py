"""What all records promise of deleted and pinned revisions, and of what is left of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from techdocs_server.domain.change import Cause, SiteAction
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import RevisionNotFound
from techdocs_server.domain.site import KeptRevision, SitePointer
from techdocs_server.domain.upkeep_errors import RevisionIsCurrent, RevisionPinned

from tests.support.clocks import NOON
from tests.support.record_values import entity, published, revision
from tests.support.stores import BUILD_RECORDS, Records, open_records

SITE = entity("docs")
FIRST, SECOND, THIRD = (
    revision(SITE, label, create_time=NOON + timedelta(hours=hours)) for hours, label in enumerate(("1", "2", "3"))
)
ONE_HOUR_LATER = NOON + timedelta(hours=1)


@pytest.fixture(params=BUILD_RECORDS)
async def records(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Records]:
    server = request.getfixturevalue("postgresql_server") if request.param == "postgresql" else None
    async with open_records(request.param, tmp_path, server) as opened:
        yield opened


async def three_published(records: Records) -> SitePointer:
    first = await published(records.sites, FIRST)
    second = await published(records.sites, SECOND, expected=first)
    return await published(records.sites, THIRD, expected=second)


async def kept(records: Records) -> list[KeptRevision]:
    return list(await records.sweeping.kept(after=None, limit=100))


async def test_deleted_revision_is_nowhere_but_its_row_is_kept(records: Records) -> None:
    pointer = await three_published(records)
    await records.sites.delete_revision(SITE, FIRST.revision, now=NOON)
    assert await records.sites.revision(SITE, FIRST.revision) is None
    assert await records.sites.revisions(SITE, after=None, limit=10) == [THIRD, SECOND]
    site = await records.sites.site(SITE)
    assert site is not None
    assert site.revision_count == 2
    assert site.pointer == pointer
    assert KeptRevision(FIRST, is_current=False, is_published=True, delete_time=NOON) in await kept(records)


async def test_no_pointer_moves_to_a_deleted_revision(records: Records) -> None:
    pointer = await three_published(records)
    await records.sites.delete_revision(SITE, FIRST.revision, now=NOON)
    with pytest.raises(RevisionNotFound):
        await records.sites.move_pointer(SITE, to=FIRST.revision, source_etag="", expected=pointer, now=NOON)
    assert await records.sites.pointer(SITE) == pointer


async def test_current_and_pinned_revisions_are_not_deleted(records: Records) -> None:
    await three_published(records)
    with pytest.raises(RevisionIsCurrent):
        await records.sites.delete_revision(SITE, THIRD.revision, now=NOON)
    await records.sites.pin_revision(SITE, FIRST.revision, pinned=True, now=NOON)
    with pytest.raises(RevisionPinned):
        await records.sites.delete_revision(SITE, FIRST.revision, now=NOON)
    await records.sites.pin_revision(SITE, FIRST.revision, pinned=False, now=NOON)
    await records.sites.delete_revision(SITE, FIRST.revision, now=NOON)
    assert len(await records.sites.revisions(SITE, after=None, limit=10)) == 2


async def test_what_is_not_there_is_neither_deleted_nor_pinned(records: Records) -> None:
    await records.sites.add_revision(FIRST)
    for one in (FIRST, SECOND):
        with pytest.raises(RevisionNotFound):
            await records.sites.delete_revision(SITE, one.revision, now=NOON)
        with pytest.raises(RevisionNotFound):
            await records.sites.pin_revision(SITE, one.revision, pinned=True, now=NOON)
    await three_published(records)
    await records.sites.delete_revision(SITE, FIRST.revision, now=NOON)
    with pytest.raises(RevisionNotFound):
        await records.sites.delete_revision(SITE, FIRST.revision, now=NOON)
    with pytest.raises(RevisionNotFound):
        await records.sites.pin_revision(SITE, FIRST.revision, pinned=True, now=NOON)


async def test_pin_is_told_by_every_look_at_the_revision(records: Records) -> None:
    await three_published(records)
    pinned = await records.sites.pin_revision(SITE, SECOND.revision, pinned=True, now=NOON)
    assert pinned == replace(SECOND, is_pinned=True)
    assert await records.sites.revision(SITE, SECOND.revision) == pinned
    assert await records.sites.revisions(SITE, after=None, limit=10) == [THIRD, pinned, FIRST]
    assert await records.sites.pin_revision(SITE, SECOND.revision, pinned=False, now=NOON) == SECOND


async def test_deletions_and_pins_are_changes_and_repeated_pins_are_not(records: Records) -> None:
    pointer = await three_published(records)
    pin = Cause(SiteAction.REVISION_PINNED, "user:default/ada", "request-1")
    for _ in range(2):
        await records.sites.pin_revision(SITE, FIRST.revision, pinned=True, now=NOON, cause=pin)
    unpin = Cause(SiteAction.REVISION_UNPINNED)
    await records.sites.pin_revision(SITE, FIRST.revision, pinned=False, now=NOON, cause=unpin)
    await records.sites.delete_revision(SITE, FIRST.revision, now=NOON)
    told = (await records.changes.changes_after(0, limit=10))[3:]
    assert [(change.cause, change.revision, change.version) for change in told] == [
        (pin, FIRST.revision, pointer.version),
        (unpin, FIRST.revision, pointer.version),
        (Cause(SiteAction.REVISION_DELETED), FIRST.revision, pointer.version),
    ]


async def test_deleted_site_keeps_its_rows_and_one_made_again_sees_none_of_them(records: Records) -> None:
    pointer = await three_published(records)
    await records.sites.pin_revision(SITE, FIRST.revision, pinned=True, now=NOON)
    await records.sites.delete_site(SITE, expected=pointer, now=NOON)
    assert [(row.delete_time, row.is_current, row.revision.is_pinned) for row in await kept(records)] == [
        (NOON, False, False)
    ] * 3
    fresh = revision(SITE, "4", create_time=ONE_HOUR_LATER)
    again = await published(records.sites, fresh)
    assert again.version == pointer.version + 1
    assert await records.sites.revisions(SITE, after=None, limit=10) == [fresh]
    site = await records.sites.site(SITE)
    assert site is not None
    assert site.revision_count == 1
    for old in (FIRST, SECOND, THIRD):
        assert await records.sites.revision(SITE, old.revision) is None
        with pytest.raises(RevisionNotFound):
            await records.sites.move_pointer(SITE, to=old.revision, source_etag="", expected=again, now=NOON)


async def test_revision_added_again_after_its_deletion_is_a_new_one(records: Records) -> None:
    pointer = await three_published(records)
    await records.sites.delete_revision(SITE, FIRST.revision, now=NOON)
    later = replace(FIRST, build="builds/later", create_time=ONE_HOUR_LATER)
    assert await records.sites.add_revision(later) == later
    # Not visible before a pointer names it, as any other.
    assert await records.sites.revision(SITE, FIRST.revision) is None
    assert KeptRevision(later, is_current=False, is_published=False) in await kept(records)
    await published(records.sites, later, expected=pointer)
    assert await records.sites.revision(SITE, FIRST.revision) == later
    assert KeptRevision(later, is_current=True, is_published=True) in await kept(records)


async def test_kept_revisions_come_in_pages_over_all_sites(records: Records) -> None:
    sites = [entity(name, kind=kind) for kind in ("api", "component") for name in ("a", "a-b", "b")]
    for one in sites:
        pointer = await published(records.sites, revision(one, "1"))
        await published(records.sites, revision(one, "2"), expected=pointer)
    await records.sites.add_revision(revision(sites[0], "never published"))
    everything = await kept(records)
    assert len(everything) == 13
    keys = [(row.revision.entity, row.revision.revision) for row in everything]
    assert keys == sorted(keys)
    assert sum(row.is_current for row in everything) == 6
    assert sum(not row.is_published for row in everything) == 1
    listed: list[KeptRevision] = []
    while page := await records.sweeping.kept(
        after=(listed[-1].revision.entity, listed[-1].revision.revision) if listed else None, limit=4
    ):
        listed += page
    assert listed == everything


async def test_only_rows_whose_grace_is_over_are_purged(records: Records) -> None:
    await three_published(records)
    await records.sites.delete_revision(SITE, FIRST.revision, now=NOON)
    await records.sites.delete_revision(SITE, SECOND.revision, now=ONE_HOUR_LATER)
    everything = [(SITE, one.revision) for one in (FIRST, SECOND, THIRD)]
    assert await purged(records, *everything, until=NOON - timedelta(seconds=1)) == 0
    assert await purged(records, *everything, until=NOON) == 1
    assert {row.revision for row in await kept(records)} == {SECOND, THIRD}
    assert await purged(records, *everything, (entity("nowhere"), FIRST.revision), until=ONE_HOUR_LATER) == 1
    assert await kept(records) == [KeptRevision(THIRD, is_current=True, is_published=True)]
    assert await records.sites.add_revision(FIRST) == FIRST


async def test_revision_that_a_publish_is_about_to_name_is_not_purged(records: Records) -> None:
    manifest = Digest(FIRST.revision, FIRST.manifest_bytes)
    await records.leases.take(SITE, [manifest], until=ONE_HOUR_LATER)
    await records.sites.add_revision(FIRST)
    assert await purged(records, (SITE, FIRST.revision), until=NOON) == 0
    assert await purged(records, (SITE, FIRST.revision), until=NOON, now=ONE_HOUR_LATER) == 1
    assert await kept(records) == []


async def test_revived_revision_is_not_purged(records: Records) -> None:
    pointer = await three_published(records)
    await records.sites.delete_revision(SITE, FIRST.revision, now=NOON)
    await published(records.sites, FIRST, expected=pointer)
    assert await purged(records, (SITE, FIRST.revision), until=ONE_HOUR_LATER) == 0


async def test_either_a_deletion_or_a_move_to_the_revision_wins(records: Records) -> None:
    pointer = await three_published(records)
    moved, deleted = await asyncio.gather(
        records.sites.move_pointer(SITE, to=FIRST.revision, source_etag="", expected=pointer, now=NOON),
        records.sites.delete_revision(SITE, FIRST.revision, now=NOON),
        return_exceptions=True,
    )
    if isinstance(moved, SitePointer):
        assert isinstance(deleted, RevisionIsCurrent)
    else:
        assert isinstance(moved, RevisionNotFound)
        assert deleted is None
    current = await records.sites.pointer(SITE)
    assert current is not None
    assert await records.sites.revision(SITE, current.revision) is not None


async def purged(records: Records, *revisions: tuple[EntityRef, str], until: datetime, now: datetime = NOON) -> int:
    return await records.sweeping.purge(revisions, deleted_until=until, now=now)
