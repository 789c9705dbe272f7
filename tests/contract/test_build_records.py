"""What all BuildRecords promise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from techdocs_server.domain.build import Build, BuildEvent, BuildProblem, BuildProgress, BuildState, BuildWarning
from techdocs_server.ports.records import BuildRecords, BuildSuperseded

from tests.support.clocks import NOON, ManualClock
from tests.support.record_values import entity, log_event, queued
from tests.support.stores import BUILD_RECORDS, open_build_records

SITE = entity("docs")
OTHER = entity("other")


@pytest.fixture(params=BUILD_RECORDS)
async def records(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BuildRecords]:
    server = request.getfixturevalue("postgresql_server") if request.param == "postgresql" else None
    async with open_build_records(request.param, tmp_path, server) as opened:
        yield opened


async def test_new_build_is_remembered_as_given(records: BuildRecords) -> None:
    build = replace(queued(SITE, request_id="request-1"), force=True)
    assert await records.build(build.id) is None
    assert await records.create_build(build) == build
    assert await records.build(build.id) == build
    assert await records.active_build(SITE) == build
    assert await records.active_build(OTHER) is None
    assert await records.events(build.id, after_sequence=0, limit=10) == []


async def test_first_events_of_a_new_build_are_remembered_with_it_and_those_of_one_that_is_joined_are_not(
    records: BuildRecords,
) -> None:
    build = queued(entity("docs"))
    await records.create_build(build, events=[log_event(1)])
    await records.create_build(queued(entity("docs")), events=[log_event(1, "another")])
    assert await records.events(build.id, after_sequence=0, limit=10) == [log_event(1)]


async def test_active_build_of_the_entity_is_joined(records: BuildRecords) -> None:
    build = await records.create_build(queued(SITE))
    late = queued(SITE, now=NOON + timedelta(seconds=1), request_id="request-1")
    assert await records.create_build(late) == build
    assert await records.build(late.id) is None
    other = queued(OTHER)
    assert await records.create_build(other) == other


async def test_concurrent_creations_for_one_entity_make_one_build(records: BuildRecords) -> None:
    wanted = [queued(SITE, request_id=f"request-{number}") for number in range(20)]
    made = await asyncio.gather(*(records.create_build(build) for build in wanted))
    assert len(set(made)) == 1
    assert await records.builds(entity=SITE, states=(), after=None, limit=100) == [made[0]]


async def test_concurrent_creations_with_one_request_id_make_one_build(records: BuildRecords) -> None:
    wanted = [queued(entity(f"docs-{number}"), request_id="request-1") for number in range(20)]
    made = await asyncio.gather(*(records.create_build(build) for build in wanted))
    assert len(set(made)) == 1


async def test_request_that_is_sent_again_finds_its_build_even_when_it_has_ended(records: BuildRecords) -> None:
    build = await records.create_build(queued(SITE, request_id="request-1"))
    await _end(records, build)
    again = await records.create_build(queued(SITE, request_id="request-1"))
    assert again.id == build.id
    assert again.state is BuildState.CANCELLED


async def test_build_of_the_request_comes_before_the_active_one(records: BuildRecords) -> None:
    ended = await records.create_build(queued(SITE, request_id="request-1"))
    await _end(records, ended)
    active = await records.create_build(queued(SITE))
    assert (await records.create_build(queued(SITE, request_id="request-1"))).id == ended.id
    assert (await records.create_build(queued(SITE, request_id="request-2"))).id == active.id


async def test_request_id_of_another_entity_is_found_too(records: BuildRecords) -> None:
    build = await records.create_build(queued(SITE, request_id="request-1"))
    assert await records.create_build(queued(OTHER, request_id="request-1")) == build
    assert await records.active_build(OTHER) is None


async def test_builds_without_a_request_id_are_all_different(records: BuildRecords) -> None:
    for name in ("a", "b", "c"):
        build = queued(entity(name))
        assert await records.create_build(build) == build


async def test_creating_the_same_build_twice_returns_it_as_it_is_now(records: BuildRecords) -> None:
    build = queued(SITE)
    await records.create_build(build)
    assert await records.create_build(build) == build
    ended = await _end(records, build)
    assert await records.create_build(build) == ended


async def test_next_build_starts_when_the_active_one_has_ended(records: BuildRecords) -> None:
    first = await records.create_build(queued(SITE))
    await _end(records, first)
    assert await records.active_build(SITE) is None
    second = queued(SITE, now=NOON + timedelta(seconds=1))
    assert await records.create_build(second) == second
    assert await records.active_build(SITE) == second


async def test_events_come_back_in_order_from_any_point(records: BuildRecords) -> None:
    build = await records.create_build(queued(SITE))
    clock = ManualClock()
    events = [log_event(number, f"line {number}", event_time=clock.advance(0.001)) for number in range(1, 8)]
    await records.append_events(build, events[:3])
    await records.append_events(build, events[3:])
    assert await records.events(build.id, after_sequence=0, limit=100) == events
    assert await records.events(build.id, after_sequence=2, limit=3) == events[2:5]
    assert await records.events(build.id, after_sequence=7, limit=100) == []
    assert await records.events("unknown", after_sequence=0, limit=100) == []


async def test_build_is_saved_with_its_events_and_counts_them_itself(records: BuildRecords) -> None:
    build = await records.create_build(queued(SITE))
    moved = build.moved(BuildState.PREPARING, now=NOON + timedelta(seconds=1))
    await records.append_events(moved, [log_event(1), BuildEvent(2, NOON, moved)])
    expected = replace(moved, last_sequence=2)
    assert await records.build(build.id) == expected
    assert await records.active_build(SITE) == expected
    await records.append_events(replace(moved, last_sequence=99), [log_event(3)])
    assert await records.build(build.id) == replace(moved, last_sequence=3)


async def test_build_is_saved_without_events_too(records: BuildRecords) -> None:
    build = await records.create_build(queued(SITE))
    await records.append_events(build, [log_event(1)])
    await records.append_events(replace(build, source_etag="seen"), [])
    assert await records.build(build.id) == replace(build, source_etag="seen", last_sequence=1)


async def test_changes_of_state_come_back_whole(records: BuildRecords) -> None:
    build = await records.create_build(replace(queued(SITE, request_id="request-1"), force=True))
    preparing = build.moved(BuildState.PREPARING, now=NOON + timedelta(seconds=1))
    generating = replace(preparing, source_etag="etag").moved(BuildState.GENERATING, now=NOON)
    problem = BuildProblem(BuildState.GENERATING, "BUILD_FAILED", "mkdocs: 'nav' is broken \N{SNOWMAN}")
    failed = replace(
        generating,
        problem=problem,
        revision="a" * 64,
        updated=True,
        last_sequence=3,
        isolation="landlock",
        warnings=(BuildWarning("a link leads nowhere", "docs/index.md", 3),),
        pages=BuildProgress(5, 3, 5),
        full_build_reason="the build was forced",
    ).moved(BuildState.FAILED, now=NOON + timedelta(seconds=9))
    events = [BuildEvent(number, NOON, state) for number, state in enumerate((preparing, generating, failed), start=1)]
    await records.append_events(failed, events)
    assert await records.events(build.id, after_sequence=0, limit=10) == events
    assert await records.build(build.id) == failed


async def test_progress_comes_back_as_it_was_told(records: BuildRecords) -> None:
    build = await records.create_build(queued(SITE))
    events = [BuildEvent(number, NOON, BuildProgress(number, 1, 9)) for number in (1, 2)]
    await records.append_events(build, events)
    assert await records.events(build.id, after_sequence=0, limit=10) == events


@pytest.mark.parametrize("sequences", [[2], [0, 1], [1, 3], [1, 1], [3, 4]], ids=str)
async def test_events_that_leave_a_gap_are_refused_whole(records: BuildRecords, sequences: list[int]) -> None:
    build = await records.create_build(queued(SITE))
    with pytest.raises(ValueError, match="cannot follow"):
        await records.append_events(replace(build, source_etag="x"), [log_event(number) for number in sequences])
    assert await records.events(build.id, after_sequence=0, limit=10) == []
    assert await records.build(build.id) == build


async def test_events_that_are_there_already_are_refused(records: BuildRecords) -> None:
    build = await records.create_build(queued(SITE))
    await records.append_events(build, [log_event(1), log_event(2)])
    with pytest.raises(ValueError, match="cannot follow"):
        await records.append_events(build, [log_event(2, "again"), log_event(3)])
    assert [event.sequence for event in await records.events(build.id, after_sequence=0, limit=10)] == [1, 2]


async def test_nothing_follows_the_end_of_a_build(records: BuildRecords) -> None:
    build = await records.create_build(queued(SITE))
    ended = await _end(records, build)
    for events in ([log_event(2)], []):
        with pytest.raises(ValueError, match="nothing follows"):
            await records.append_events(build, events)
    assert await records.build(build.id) == ended


async def test_events_of_an_unknown_build_are_refused(records: BuildRecords) -> None:
    build = queued(SITE)
    with pytest.raises(ValueError, match="no build"):
        await records.append_events(build, [log_event(1)])
    assert await records.build(build.id) is None


async def test_one_of_many_concurrent_appends_at_one_place_wins(records: BuildRecords) -> None:
    build = await records.create_build(queued(SITE))
    outcomes = await asyncio.gather(
        *(records.append_events(build, [log_event(1, f"from {number}")]) for number in range(20)),
        return_exceptions=True,
    )
    assert outcomes.count(None) == 1
    assert sum(isinstance(outcome, ValueError) for outcome in outcomes) == 19
    assert len(await records.events(build.id, after_sequence=0, limit=100)) == 1


async def test_large_batch_of_any_text_comes_back(records: BuildRecords) -> None:
    build = await records.create_build(queued(SITE))
    texts = ["", 'it\'s "quoted"; DROP TABLE builds; --', "\N{GRINNING FACE} é 日本語", "{json: [1]}", "x" * 8192]
    events = [log_event(number, texts[number % len(texts)]) for number in range(1, 1001)]
    await records.append_events(build, events)
    assert await records.events(build.id, after_sequence=0, limit=2000) == events


async def test_builds_are_listed_newest_first_page_by_page(records: BuildRecords) -> None:
    clock = ManualClock()
    made = [queued(entity(f"docs-{number}"), now=clock.advance(number % 2)) for number in range(7)]
    for build in made:
        await records.create_build(build)
    newest_first = sorted(made, key=lambda build: (build.create_time, build.id), reverse=True)
    assert await records.builds(entity=None, states=(), after=None, limit=100) == newest_first
    listed: list[Build] = []
    while page := await records.builds(entity=None, states=(), after=_position(listed), limit=2):
        assert len(page) <= 2
        listed += page
    assert listed == newest_first


async def test_builds_are_chosen_by_entity_and_state(records: BuildRecords) -> None:
    ended = await _end(records, await records.create_build(queued(SITE)))
    active = await records.create_build(queued(SITE, now=NOON + timedelta(seconds=1)))
    other = await records.create_build(queued(OTHER, now=NOON + timedelta(seconds=2)))
    assert await records.builds(entity=SITE, states=(), after=None, limit=10) == [active, ended]
    queued_ones = await records.builds(entity=None, states=[BuildState.QUEUED], after=None, limit=10)
    assert queued_ones == [other, active]
    states = {BuildState.CANCELLED, BuildState.FAILED}
    assert await records.builds(entity=SITE, states=states, after=None, limit=10) == [ended]
    assert await records.builds(entity=OTHER, states=states, after=None, limit=10) == []


def _position(listed: list[Build]) -> tuple[datetime, str] | None:
    return (listed[-1].create_time, listed[-1].id) if listed else None


async def _end(records: BuildRecords, build: Build) -> Build:
    ended = replace(build.moved(BuildState.CANCELLED, now=NOON + timedelta(minutes=1)), last_sequence=1)
    await records.append_events(ended, [BuildEvent(1, NOON, ended)])
    return ended


async def running(records: BuildRecords) -> Build:
    build = await records.create_build(queued(SITE))
    prepared = replace(build.moved(BuildState.PREPARING, now=NOON), worker="worker-1")
    await records.append_events(prepared, [BuildEvent(1, NOON, prepared)])
    return replace(prepared, last_sequence=1)


async def test_next_attempt_takes_a_build_over(records: BuildRecords) -> None:
    build = await running(records)
    again = build.retried(now=NOON)
    await records.append_events(again, [BuildEvent(2, NOON, again)])
    stored = await records.build(build.id)
    assert stored == replace(again, last_sequence=2)
    assert (stored.attempt, stored.worker, stored.state) == (2, "", BuildState.QUEUED)
    assert await records.active_build(SITE) == stored


async def test_attempt_that_was_taken_over_writes_nothing(records: BuildRecords) -> None:
    build = await running(records)
    again = build.retried(now=NOON)
    await records.append_events(again, [BuildEvent(2, NOON, again)])
    with pytest.raises(BuildSuperseded):
        await records.append_events(build, [log_event(3)])
    assert await records.build(build.id) == replace(again, last_sequence=2)
    with pytest.raises(BuildSuperseded):
        await records.append_events(replace(again, attempt=4), [log_event(3)])


async def test_one_of_two_that_take_a_build_over_does(records: BuildRecords) -> None:
    again = (await running(records)).retried(now=NOON)
    taken = await asyncio.gather(
        *(records.append_events(again, [BuildEvent(2, NOON, again)]) for _ in range(2)), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in taken) == ["NoneType", "ValueError"]
