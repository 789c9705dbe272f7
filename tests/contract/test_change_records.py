"""What all ChangeRecords promise, together with the records whose changes they tell."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from techdocs_server.domain.change import Cause, SiteAction, SiteChange
from techdocs_server.domain.errors import RevisionConflict

from tests.support.clocks import NOON
from tests.support.record_values import entity, published, revision
from tests.support.stores import BUILD_RECORDS, Records, open_records

SITE = entity("docs")
FIRST, SECOND = revision(SITE, "first"), revision(SITE, "second")
ROLLBACK = Cause(SiteAction.ROLLED_BACK, "user:default/ada", "request-1")


@pytest.fixture(params=BUILD_RECORDS)
async def records(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Records]:
    server = request.getfixturevalue("postgresql_server") if request.param == "postgresql" else None
    async with open_records(request.param, tmp_path, server) as opened:
        yield opened


async def test_nothing_has_changed_at_first(records: Records) -> None:
    assert await records.changes.newest_change() == 0
    assert await records.changes.changes_after(0, limit=10) == []
    assert await records.changes.changes(entity=None, before=None, limit=10) == []


async def test_every_move_and_deletion_is_told_with_its_cause(records: Records) -> None:
    first = await published(records.sites, FIRST)
    second = await published(records.sites, SECOND, expected=first, now=NOON + timedelta(minutes=1))
    back = await records.sites.move_pointer(
        SITE, to=FIRST.revision, source_etag="", expected=second, now=NOON + timedelta(minutes=2), cause=ROLLBACK
    )
    await records.sites.delete_site(SITE, expected=back, now=NOON + timedelta(minutes=3))
    told = await records.changes.changes_after(0, limit=10)
    assert told == [
        SiteChange(told[0].sequence, NOON, SITE, FIRST.revision, "", 1, Cause(SiteAction.PUBLISHED)),
        SiteChange(told[1].sequence, NOON + timedelta(minutes=1), SITE, SECOND.revision, FIRST.revision, 2, Cause()),
        SiteChange(told[2].sequence, NOON + timedelta(minutes=2), SITE, FIRST.revision, SECOND.revision, 3, ROLLBACK),
        SiteChange(
            told[3].sequence, NOON + timedelta(minutes=3), SITE, "", FIRST.revision, 3, Cause(SiteAction.DELETED)
        ),
    ]
    assert [change.sequence for change in told] == sorted({change.sequence for change in told})
    assert await records.changes.newest_change() == told[-1].sequence


async def test_changes_come_in_pages_either_way(records: Records) -> None:
    other = entity("other")
    await published(records.sites, FIRST)
    await published(records.sites, revision(other, "first"))
    pointer = await records.sites.pointer(SITE)
    await published(records.sites, SECOND, expected=pointer)
    everything = await records.changes.changes_after(0, limit=10)
    assert [change.entity for change in everything] == [SITE, other, SITE]
    assert await records.changes.changes_after(everything[0].sequence, limit=1) == everything[1:2]
    assert await records.changes.changes_after(everything[2].sequence, limit=1) == []
    newest = await records.changes.changes(entity=None, before=None, limit=2)
    assert newest == [everything[2], everything[1]]
    assert await records.changes.changes(entity=None, before=newest[-1].sequence, limit=2) == everything[:1]
    assert await records.changes.changes(entity=SITE, before=None, limit=9) == [everything[2], everything[0]]


async def test_refused_move_is_no_change(records: Records) -> None:
    await published(records.sites, FIRST)
    with pytest.raises(RevisionConflict):
        await published(records.sites, SECOND)
    assert len(await records.changes.changes_after(0, limit=10)) == 1


async def test_follower_of_concurrent_changes_misses_none(records: Records) -> None:
    seen: list[int] = []
    done = asyncio.Event()

    async def follow() -> None:
        while True:
            finished = done.is_set()
            for change in await records.changes.changes_after(seen[-1] if seen else 0, limit=3):
                seen.append(change.sequence)
            if finished and seen and seen[-1] == await records.changes.newest_change():
                return
            await asyncio.sleep(0)

    follower = asyncio.create_task(follow())
    await asyncio.gather(*(published(records.sites, revision(entity(f"docs-{n}"), "first")) for n in range(40)))
    done.set()
    await follower
    assert seen == [change.sequence for change in await records.changes.changes_after(0, limit=100)]
    assert len(seen) == 40
