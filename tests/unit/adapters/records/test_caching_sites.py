"""When a remembered pointer is used, and when it is not."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest
from techdocs_server.adapters.records.caching_sites import CachingSiteRecords
from techdocs_server.adapters.records.memory import MemorySiteRecords
from techdocs_server.domain.build import BuildFence
from techdocs_server.domain.change import Cause
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import RevisionConflict, StorageUnavailable
from techdocs_server.domain.site import SitePointer
from techdocs_server.domain.upkeep_errors import RevisionPinned

from tests.support.clocks import NOON
from tests.support.record_values import entity, published, revision
from tests.support.waiting import eventually

SITE = entity("docs")
FIRST = revision(SITE, "first")
SECOND = revision(SITE, "second")


class ObservedSiteRecords(MemorySiteRecords):
    """Counts questions for pointers, fails on demand, and can hold an answer back."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[EntityRef] = []
        self.is_down = False
        self.fails_after_moving = False
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def pointer(self, entity: EntityRef) -> SitePointer | None:
        self.asked.append(entity)
        if self.is_down:
            raise StorageUnavailable("the database does not answer")
        answer = await super().pointer(entity)
        await self.may_answer.wait()
        return answer

    async def move_pointer(
        self,
        entity: EntityRef,
        *,
        to: str,
        source_etag: str,
        expected: SitePointer | None,
        now: datetime,
        cause: Cause = Cause(),  # noqa: B008 - it does not change
        fence: BuildFence | None = None,
    ) -> SitePointer:
        if self.is_down:
            raise StorageUnavailable("the database does not answer")
        moved = await super().move_pointer(
            entity, to=to, source_etag=source_etag, expected=expected, now=now, cause=cause, fence=fence
        )
        if self.fails_after_moving:
            raise StorageUnavailable("the answer got lost")
        return moved


@pytest.fixture
def inner() -> ObservedSiteRecords:
    return ObservedSiteRecords()


@pytest.fixture
def records(inner: ObservedSiteRecords) -> CachingSiteRecords:
    return CachingSiteRecords(inner, max_pointers=3)


async def test_pointer_is_asked_for_once(records: CachingSiteRecords, inner: ObservedSiteRecords) -> None:
    pointer = await published(records, FIRST)
    assert [await records.pointer(SITE) for _ in range(3)] == [pointer] * 3
    assert inner.asked == [SITE]


async def test_absent_site_is_asked_for_every_time(records: CachingSiteRecords, inner: ObservedSiteRecords) -> None:
    assert await records.pointer(SITE) is None
    pointer = await published(inner, FIRST)
    assert await records.pointer(SITE) == pointer


async def test_move_is_seen_at_once(records: CachingSiteRecords) -> None:
    first = await published(records, FIRST)
    assert await records.pointer(SITE) == first
    second = await published(records, SECOND, expected=first)
    assert await records.pointer(SITE) == second


async def test_deletion_is_seen_at_once(records: CachingSiteRecords, inner: ObservedSiteRecords) -> None:
    first = await published(records, FIRST)
    await records.pointer(SITE)
    await records.delete_site(SITE, expected=first, now=NOON)
    assert await records.pointer(SITE) is None
    inner.is_down = True
    with pytest.raises(StorageUnavailable):
        await records.pointer(SITE)


async def test_write_whose_answer_got_lost_makes_the_next_reader_ask(
    records: CachingSiteRecords, inner: ObservedSiteRecords
) -> None:
    first = await published(records, FIRST)
    await records.pointer(SITE)
    inner.fails_after_moving = True
    with pytest.raises(StorageUnavailable):
        await published(records, SECOND, expected=first)
    pointer = await records.pointer(SITE)
    assert pointer is not None
    assert pointer.revision == SECOND.revision


async def test_conflict_makes_the_next_reader_ask_and_keep_the_answer(
    records: CachingSiteRecords, inner: ObservedSiteRecords
) -> None:
    first = await published(records, FIRST)
    with pytest.raises(RevisionConflict):
        await published(records, SECOND, expected=None)
    inner.asked.clear()
    assert [await records.pointer(SITE) for _ in range(3)] == [first] * 3
    assert inner.asked == [SITE]


async def test_reading_goes_on_from_the_last_known_pointer_while_the_records_are_down(
    records: CachingSiteRecords, inner: ObservedSiteRecords
) -> None:
    first = await published(records, FIRST)
    inner.is_down = True
    assert await records.pointer(SITE) == first
    with pytest.raises(StorageUnavailable):
        await published(records, SECOND, expected=first)
    assert await records.pointer(SITE) == first
    with pytest.raises(StorageUnavailable):
        await records.pointer(entity("never-asked-for"))


async def test_records_that_are_down_are_not_asked_by_every_reader(
    records: CachingSiteRecords, inner: ObservedSiteRecords
) -> None:
    first = await published(records, FIRST)
    inner.is_down = True
    for _ in range(100):
        assert await records.pointer(SITE) == first
    assert len(inner.asked) == 1
    inner.is_down = False

    async def is_asked_again() -> bool:
        await records.pointer(SITE)
        return len(inner.asked) > 1

    await eventually(is_asked_again, what="the records are asked again by themselves")


@pytest.mark.parametrize("news", ["heard", "found"])
async def test_records_are_asked_at_once_when_somebody_hears_of_them_again(
    records: CachingSiteRecords, inner: ObservedSiteRecords, news: str
) -> None:
    first = await published(records, FIRST)
    inner.is_down = True
    await records.pointer(SITE)
    inner.is_down = False
    second = await published(inner, SECOND, expected=first)
    if news == "heard":
        records.heard(SITE)
    else:
        records.found()
    assert await records.pointer(SITE) == second


async def test_slow_reader_does_not_bring_back_the_old_pointer(
    records: CachingSiteRecords, inner: ObservedSiteRecords
) -> None:
    first = await published(inner, FIRST)
    inner.may_answer.clear()
    slow = asyncio.create_task(records.pointer(SITE))
    await eventually(lambda: inner.asked, what="the slow reader asked")
    second = await published(records, SECOND, expected=first)
    inner.may_answer.set()
    assert await slow == first
    assert await records.pointer(SITE) == second


async def test_pointer_unused_for_longest_is_forgotten_first(
    records: CachingSiteRecords, inner: ObservedSiteRecords
) -> None:
    entities = [entity(name) for name in "abcd"]
    for one in entities:
        await inner.add_revision(revision(one, "first"))
        await inner.move_pointer(one, to=FIRST.revision, source_etag="", expected=None, now=NOON)
    for one in (*entities[:3], entities[0], entities[3]):
        await records.pointer(one)
    inner.asked.clear()
    for one in (entities[0], entities[2], entities[3], entities[1]):
        await records.pointer(one)
    assert inner.asked == [entities[1]]


async def test_write_of_another_process_is_seen_when_it_is_heard_of(
    records: CachingSiteRecords, inner: ObservedSiteRecords
) -> None:
    first = await published(records, FIRST)
    await records.pointer(SITE)
    second = await published(inner, SECOND, expected=first)
    assert await records.pointer(SITE) == first
    records.heard(SITE)
    assert await records.pointer(SITE) == second


async def test_answer_that_was_under_way_when_a_write_was_heard_of_is_not_kept(
    records: CachingSiteRecords, inner: ObservedSiteRecords
) -> None:
    first = await published(inner, FIRST)
    inner.may_answer.clear()
    reading = asyncio.create_task(records.pointer(SITE))
    await eventually(lambda: bool(inner.asked), what="the records are asked")
    second = await published(inner, SECOND, expected=first)
    records.heard(SITE)
    inner.may_answer.set()
    assert await reading == first
    assert await records.pointer(SITE) == second


async def test_nothing_is_certain_while_nobody_hears_of_writes(
    records: CachingSiteRecords, inner: ObservedSiteRecords
) -> None:
    first = await published(records, FIRST)
    await records.pointer(SITE)
    records.lost()
    second = await published(inner, SECOND, expected=first)
    assert await records.pointer(SITE) == second
    inner.is_down = True
    assert await records.pointer(SITE) == second
    inner.is_down = False
    third = await published(inner, FIRST, expected=second)
    records.found()
    assert await records.pointer(SITE) == third
    asked = len(inner.asked)
    assert await records.pointer(SITE) == third
    assert len(inner.asked) == asked


async def test_pointer_is_asked_for_again_when_it_is_old(inner: ObservedSiteRecords) -> None:
    records = CachingSiteRecords(inner, max_age_seconds=0.05)
    first = await published(records, FIRST)
    await records.pointer(SITE)
    second = await published(inner, SECOND, expected=first)

    async def seen() -> bool:
        return await records.pointer(SITE) == second

    await eventually(seen, what="the new pointer is seen")


async def test_every_write_is_told(inner: ObservedSiteRecords) -> None:
    told: list[EntityRef] = []
    records = CachingSiteRecords(inner, changed=told.append)
    first = await published(records, FIRST)
    assert told == [SITE]
    second = await published(records, SECOND, expected=first)
    await records.pin_revision(SITE, FIRST.revision, pinned=True, now=NOON)
    with pytest.raises(RevisionPinned):
        await records.delete_revision(SITE, FIRST.revision, now=NOON)
    await records.delete_site(SITE, expected=second, now=NOON)
    assert told == [SITE] * 5
