"""What a build tells of its pages and its phases."""

from __future__ import annotations

import pytest
from techdocs_server.adapters.records.memory import MemoryBuildRecords
from techdocs_server.domain.build import BuildProgress, BuildState, PhaseTime
from techdocs_server.services.build_events import BuildEvents
from techdocs_server.services.build_journal import BuildJournal

from tests.support.clocks import ManualClock
from tests.support.record_values import entity, queued


@pytest.fixture
def records() -> MemoryBuildRecords:
    return MemoryBuildRecords()


async def begun(records: MemoryBuildRecords, clock: ManualClock) -> BuildJournal:
    build = await records.create_build(queued(entity("demo"), now=clock.now()))
    return BuildJournal(build, records=records, events=BuildEvents(records), clock=clock)


async def told(records: MemoryBuildRecords, journal: BuildJournal) -> list[BuildProgress]:
    await journal.store()
    events = await records.events(journal.build.id, after_sequence=0, limit=1000)
    return [event.happening for event in events if isinstance(event.happening, BuildProgress)]


async def test_progress_is_told_twice_a_second_at_most_and_at_the_end(records: MemoryBuildRecords) -> None:
    clock = ManualClock()
    journal = await begun(records, clock)
    for done in range(100):
        journal.progress(BuildProgress(done, 0, 100))
        clock.advance(0.02)
    for _ in range(100):
        journal.progress(BuildProgress(100, 40, 100))
    expected = [BuildProgress(done, 0, 100) for done in (0, 25, 50, 75)]
    assert await told(records, journal) == [*expected, BuildProgress(100, 40, 100)]
    assert journal.build.pages == BuildProgress(100, 40, 100)


async def test_progress_without_pages_is_bounded_too(records: MemoryBuildRecords) -> None:
    journal = await begun(records, ManualClock())
    for _ in range(100):
        journal.progress(BuildProgress(0, 0, 0))
    assert await told(records, journal) == [BuildProgress(0, 0, 0)]


async def test_build_says_how_long_each_phase_took(records: MemoryBuildRecords) -> None:
    clock = ManualClock()
    journal = await begun(records, clock)
    for seconds, state in enumerate((BuildState.PREPARING, BuildState.GENERATING, BuildState.PUBLISHING), start=1):
        clock.advance(seconds)
        await journal.move(state)
    clock.advance(4)
    await journal.succeed(revision="r", updated=True)
    build = await records.build(journal.build.id)
    assert build is not None
    assert build.phases == (
        PhaseTime(BuildState.QUEUED, 1.0),
        PhaseTime(BuildState.PREPARING, 2.0),
        PhaseTime(BuildState.GENERATING, 3.0),
        PhaseTime(BuildState.PUBLISHING, 4.0),
    )
