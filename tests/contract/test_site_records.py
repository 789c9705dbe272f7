"""What all SiteRecords promise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, timedelta, timezone
from pathlib import Path

import pytest
from techdocs_server.domain.errors import RevisionConflict, RevisionNotFound
from techdocs_server.domain.site import Revision, SitePointer
from techdocs_server.ports.records import SiteRecords

from tests.support.clocks import NOON
from tests.support.record_values import entity, published, revision
from tests.support.stores import SITE_RECORDS, open_site_records

SITE = entity("docs")
FIRST = revision(SITE, "first")
SECOND = revision(SITE, "second", create_time=NOON + timedelta(hours=1), site_name="Docs, second edition")


@pytest.fixture(params=SITE_RECORDS)
async def records(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SiteRecords]:
    server = request.getfixturevalue("postgresql_server") if request.param == "postgresql" else None
    async with open_site_records(request.param, tmp_path, server) as opened:
        yield opened


async def test_unknown_site_is_nowhere(records: SiteRecords) -> None:
    assert await records.pointer(SITE) is None
    assert await records.site(SITE) is None
    assert await records.revision(SITE, FIRST.revision) is None
    assert await records.revisions(SITE, after=None, limit=10) == []
    assert await records.sites(namespace=None, kind=None, after=None, limit=10) == []


async def test_revision_is_invisible_until_a_pointer_names_it(records: SiteRecords) -> None:
    assert await records.add_revision(FIRST) == FIRST
    assert await records.pointer(SITE) is None
    assert await records.site(SITE) is None
    assert await records.revision(SITE, FIRST.revision) is None
    assert await records.revisions(SITE, after=None, limit=10) == []
    await published(records, FIRST)
    assert await records.revision(SITE, FIRST.revision) == FIRST
    assert await records.revisions(SITE, after=None, limit=10) == [FIRST]


async def test_known_revision_is_kept_as_it_was(records: SiteRecords) -> None:
    await records.add_revision(FIRST)
    again = replace(FIRST, create_time=NOON + timedelta(days=1), build="builds/later", site_name="Other")
    assert await records.add_revision(again) == FIRST
    await published(records, again)
    assert await records.revision(SITE, FIRST.revision) == FIRST


async def test_concurrent_adds_of_one_revision_keep_one(records: SiteRecords) -> None:
    made = [replace(FIRST, build=f"builds/{number}") for number in range(20)]
    kept = await asyncio.gather(*(records.add_revision(revision) for revision in made))
    assert len(set(kept)) == 1


async def test_moved_pointer_is_what_readers_see(records: SiteRecords) -> None:
    pointer = await published(records, FIRST)
    assert pointer == SitePointer(FIRST.revision, 1, FIRST.source_etag)
    assert await records.pointer(SITE) == pointer
    site = await records.site(SITE)
    assert site is not None
    assert site.entity == SITE
    assert site.pointer == pointer
    assert site.title == "Docs"
    assert site.create_time == site.update_time == NOON
    assert site.revision_count == 1


async def test_every_move_makes_the_next_version(records: SiteRecords) -> None:
    first = await published(records, FIRST)
    second = await published(records, SECOND, expected=first, now=NOON + timedelta(hours=2))
    back = await records.move_pointer(
        SITE, to=FIRST.revision, source_etag="synced last", expected=second, now=NOON + timedelta(hours=3)
    )
    same = await records.move_pointer(SITE, to=FIRST.revision, source_etag="other", expected=back, now=NOON)
    assert [first.version, second.version, back.version, same.version] == [1, 2, 3, 4]
    assert back == SitePointer(FIRST.revision, 3, "synced last")
    assert await records.pointer(SITE) == same


async def test_listing_of_a_site_follows_its_pointer(records: SiteRecords) -> None:
    first = await published(records, FIRST)
    await published(records, SECOND, expected=first, now=NOON + timedelta(hours=2))
    await records.add_revision(revision(SITE, "never published"))
    site = await records.site(SITE)
    assert site is not None
    assert site.title == "Docs, second edition"
    assert site.create_time == NOON
    assert site.update_time == NOON + timedelta(hours=2)
    assert site.revision_count == 2


async def test_pointer_that_moved_meanwhile_is_a_conflict_and_nothing_changes(records: SiteRecords) -> None:
    first = await published(records, FIRST)
    await records.add_revision(SECOND)
    stale = replace(first, version=first.version - 1)
    for expected in (None, stale, replace(first, version=first.version + 1)):
        with pytest.raises(RevisionConflict):
            await _move(records, SECOND, expected)
    assert await records.pointer(SITE) == first
    assert await records.revision(SITE, SECOND.revision) is None


async def test_only_the_version_is_compared(records: SiteRecords) -> None:
    first = await published(records, FIRST)
    await records.add_revision(SECOND)
    assert (await _move(records, SECOND, SitePointer("of old", first.version, "of old"))).version == 2


async def test_expected_pointer_of_a_site_that_is_not_there_is_a_conflict(records: SiteRecords) -> None:
    await records.add_revision(FIRST)
    with pytest.raises(RevisionConflict):
        await _move(records, FIRST, SitePointer(FIRST.revision, 1, ""))
    with pytest.raises(RevisionConflict):
        await _move(records, FIRST, SitePointer(FIRST.revision, 0, ""))
    assert await records.pointer(SITE) is None


async def test_unknown_revision_is_not_found_and_nothing_changes(records: SiteRecords) -> None:
    with pytest.raises(RevisionNotFound):
        await _move(records, FIRST, None)
    assert await records.pointer(SITE) is None
    first = await published(records, FIRST)
    with pytest.raises(RevisionNotFound):
        await _move(records, SECOND, first)
    assert await records.pointer(SITE) == first


async def test_conflict_is_told_before_an_unknown_revision(records: SiteRecords) -> None:
    await published(records, FIRST)
    with pytest.raises(RevisionConflict):
        await _move(records, SECOND, None)


async def test_revision_of_another_site_is_not_one_of_this(records: SiteRecords) -> None:
    other = entity("other")
    await published(records, replace(FIRST, entity=other))
    with pytest.raises(RevisionNotFound):
        await _move(records, FIRST, None)
    assert await records.revision(SITE, FIRST.revision) is None


async def test_two_sites_may_have_the_same_revision(records: SiteRecords) -> None:
    other = replace(FIRST, entity=entity("other"), build="builds/of-the-other")
    pointer = await published(records, FIRST)
    await published(records, other)
    await records.delete_site(SITE, expected=pointer, now=NOON)
    assert await records.revision(other.entity, other.revision) == other


async def test_one_of_many_concurrent_moves_wins(records: SiteRecords) -> None:
    first = await published(records, FIRST)
    wanted = [revision(SITE, f"candidate {number}") for number in range(20)]
    await asyncio.gather(*(records.add_revision(candidate) for candidate in wanted))
    outcomes = await asyncio.gather(*(_move(records, candidate, first) for candidate in wanted), return_exceptions=True)
    winners = [outcome for outcome in outcomes if isinstance(outcome, SitePointer)]
    assert len(winners) == 1
    assert sum(isinstance(outcome, RevisionConflict) for outcome in outcomes) == 19
    assert winners[0].version == 2
    assert await records.pointer(SITE) == winners[0]


async def test_one_of_many_concurrent_first_publishes_wins(records: SiteRecords) -> None:
    wanted = [revision(SITE, f"candidate {number}") for number in range(20)]
    outcomes = await asyncio.gather(*(published(records, candidate) for candidate in wanted), return_exceptions=True)
    winners = [outcome for outcome in outcomes if isinstance(outcome, SitePointer)]
    assert len(winners) == 1
    assert sum(isinstance(outcome, RevisionConflict) for outcome in outcomes) == 19
    assert await records.pointer(SITE) == winners[0]


async def test_either_a_move_or_a_deletion_wins(records: SiteRecords) -> None:
    first = await published(records, FIRST)
    await records.add_revision(SECOND)
    moved, deleted = await asyncio.gather(
        _move(records, SECOND, first), records.delete_site(SITE, expected=first, now=NOON), return_exceptions=True
    )
    losers = [outcome for outcome in (moved, deleted) if isinstance(outcome, RevisionConflict)]
    assert len(losers) == 1
    assert await records.pointer(SITE) == (moved if isinstance(moved, SitePointer) else None)


async def test_deleted_site_is_nowhere(records: SiteRecords) -> None:
    first = await published(records, FIRST)
    await published(records, replace(FIRST, entity=entity("other")))
    assert await records.pointer(SITE) == first
    await records.delete_site(SITE, expected=first, now=NOON)
    assert await records.pointer(SITE) is None
    assert await records.site(SITE) is None
    assert await records.revision(SITE, FIRST.revision) is None
    assert await records.revisions(SITE, after=None, limit=10) == []
    rest = await records.sites(namespace=None, kind=None, after=None, limit=10)
    assert [site.entity for site in rest] == [entity("other")]


async def test_site_made_again_goes_on_with_the_next_version(records: SiteRecords) -> None:
    pointer = await published(records, FIRST)
    seen = {pointer.version}
    for number in range(1, 4):
        await records.delete_site(SITE, expected=pointer, now=NOON)
        pointer = await published(records, FIRST, now=NOON + timedelta(days=number))
        assert pointer.version not in seen
        seen.add(pointer.version)
    assert pointer.version == 4
    site = await records.site(SITE)
    assert site is not None
    assert site.create_time == site.update_time == NOON + timedelta(days=3)
    assert site.revision_count == 1


async def test_revisions_of_a_deleted_site_are_forgotten(records: SiteRecords) -> None:
    first = await published(records, FIRST)
    second = await published(records, SECOND, expected=first)
    await records.delete_site(SITE, expected=second, now=NOON)
    with pytest.raises(RevisionNotFound):
        await _move(records, FIRST, None)
    later = replace(FIRST, build="builds/later")
    assert await records.add_revision(later) == later


async def test_deletion_of_another_pointer_than_expected_is_a_conflict(records: SiteRecords) -> None:
    gone = SitePointer(FIRST.revision, 1, "")
    with pytest.raises(RevisionConflict):
        await records.delete_site(SITE, expected=gone, now=NOON)
    first = await published(records, FIRST)
    second = await published(records, SECOND, expected=first)
    with pytest.raises(RevisionConflict):
        await records.delete_site(SITE, expected=first, now=NOON)
    assert await records.pointer(SITE) == second
    await records.delete_site(SITE, expected=second, now=NOON)
    with pytest.raises(RevisionConflict):
        await records.delete_site(SITE, expected=second, now=NOON)


async def test_times_come_back_to_the_microsecond_and_in_utc(records: SiteRecords) -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=-7)))
    await published(records, replace(FIRST, create_time=elsewhere), now=elsewhere)
    site = await records.site(SITE)
    kept = await records.revision(SITE, FIRST.revision)
    assert site is not None
    assert kept is not None
    assert site.update_time == kept.create_time == NOON
    assert site.update_time.microsecond == NOON.microsecond
    assert site.update_time.utcoffset() is not None
    # A time in another zone is the same moment, also when it continues a listing.
    assert await records.revisions(SITE, after=(elsewhere, kept.revision), limit=10) == []
    assert NOON.tzinfo is UTC


async def _move(records: SiteRecords, to: Revision, expected: SitePointer | None) -> SitePointer:
    return await records.move_pointer(
        to.entity, to=to.revision, source_etag=to.source_etag, expected=expected, now=NOON
    )
