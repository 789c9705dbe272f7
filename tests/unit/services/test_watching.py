import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from techdocs_server.adapters.clock import SystemClock
from techdocs_server.adapters.records.memory import MemoryBuildRecords
from techdocs_server.domain.build import Build, BuildEvent, BuildState
from techdocs_server.services.build_events import BuildEvents
from techdocs_server.services.build_journal import BuildJournal

from tests.support.pipeline import ENTITY

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class CountingRecords(MemoryBuildRecords):
    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    async def events(self, build_id: str, *, after_sequence: int, limit: int) -> list[BuildEvent]:
        self.reads += 1
        return list(await super().events(build_id, after_sequence=after_sequence, limit=limit))


class EndingBetween(MemoryBuildRecords):
    """Another process ends the build after this one has read it, and before it reads the events."""

    end: Callable[[], Awaitable[None]] | None = None

    async def events(self, build_id: str, *, after_sequence: int, limit: int) -> list[BuildEvent]:
        if self.end is not None:
            end, self.end = self.end, None
            await end()
        return list(await super().events(build_id, after_sequence=after_sequence, limit=limit))


async def test_whoever_waits_for_the_end_hears_of_it_when_the_events_were_read_later_than_the_build() -> None:
    records = EndingBetween()
    here = BuildEvents(records, heartbeat_seconds=60)
    build = await records.create_build(Build.queued(ENTITY, now=NOW))
    elsewhere = BuildJournal(build, records=records, events=BuildEvents(records), clock=SystemClock())
    waiting = asyncio.create_task(here.ended(build.id))
    watching = asyncio.create_task(_all_of(here, build.id))
    await elsewhere.move(BuildState.PREPARING)
    here.heard(build.id)
    await asyncio.sleep(0.02)

    async def end() -> None:
        await elsewhere.move(BuildState.FAILED)

    await elsewhere.move(BuildState.GENERATING)
    records.end = end
    here.heard(build.id)
    await asyncio.sleep(0.02)
    here.heard(build.id)
    async with asyncio.timeout(5):
        assert (await waiting).state is BuildState.FAILED
        assert await watching == [1, 2, 3]


async def _all_of(events: BuildEvents, build_id: str) -> list[int]:
    return [event.sequence async for event in events.watch(build_id) if event is not None]


async def test_a_silent_watch_says_that_it_lives() -> None:
    records = MemoryBuildRecords()
    build = await records.create_build(Build.queued(ENTITY, now=NOW))
    watch = BuildEvents(records, heartbeat_seconds=0.02).watch(build.id)
    assert [await anext(watch), await anext(watch)] == [None, None]


async def test_a_thousand_watchers_of_one_build_do_not_ask_the_records_for_every_line() -> None:
    records = CountingRecords()
    events = BuildEvents(records)
    build = await records.create_build(Build.queued(ENTITY, now=NOW))
    journal = BuildJournal(build, records=records, events=events, clock=SystemClock())
    watchers = [asyncio.create_task(_all_of(events, build.id)) for _ in range(1000)]
    await asyncio.sleep(0.05)
    for state in (BuildState.PREPARING, BuildState.GENERATING, BuildState.PUBLISHING):
        await journal.move(state)
        for number in range(20):
            journal.say(f"line {number}")
            await journal.store()
    await journal.succeed(revision="", updated=False)
    seen = await asyncio.gather(*watchers)
    assert all(sequences == list(range(1, 65)) for sequences in seen)
    assert records.reads <= 2 * len(watchers)


async def test_a_watcher_that_fell_behind_memory_reads_the_records() -> None:
    records = MemoryBuildRecords()
    events = BuildEvents(records)
    build = await records.create_build(Build.queued(ENTITY, now=NOW))
    journal = BuildJournal(build, records=records, events=events, clock=SystemClock())
    watch = events.watch(build.id)
    journal.say("first")
    await journal.store()
    first = await anext(watch)
    for number in range(3000):
        journal.say(f"line {number}")
    await journal.store()
    await journal.move(BuildState.FAILED)
    rest = [event async for event in watch if event is not None]
    assert first is not None
    assert [event.sequence for event in [first, *rest]] == list(range(1, 3003))
