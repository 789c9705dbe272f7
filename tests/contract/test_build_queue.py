"""What all BuildQueues promise."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest
from techdocs_server.adapters.queue.in_process import InProcessBuildQueue
from techdocs_server.adapters.queue.procrastinate import ProcrastinateBuildQueue
from techdocs_server.adapters.queue.procrastinate_schema import upgrade_queue
from techdocs_server.adapters.records.engine import SqlDatabase
from techdocs_server.domain.build import Build, BuildTrigger
from techdocs_server.domain.errors import BuildQueueFull
from techdocs_server.ports.queue import JobState, WasCancelled

from tests.support.clocks import NOON
from tests.support.postgresql import PostgreSQL
from tests.support.record_values import entity
from tests.support.waiting import eventually

Queue = InProcessBuildQueue | ProcrastinateBuildQueue
LIMIT = 8


class Runs:
    """Builds that run until they are let go, and what became of them."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.cancelled: dict[str, bool] = {}
        self.may_end = asyncio.Event()

    async def __call__(self, build_id: str, was_cancelled: WasCancelled) -> None:
        self.begun.append(build_id)
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancelled[build_id] = was_cancelled()
            raise
        self.ended.append(build_id)


def wanted(name: str, *, owner: str = "a", trigger: BuildTrigger = BuildTrigger.REQUEST) -> Build:
    return Build.queued(entity(name), now=NOON, owner=owner, trigger=trigger)


@asynccontextmanager
async def procrastinate_queue(url: str, *, concurrency: int = 1) -> AsyncIterator[ProcrastinateBuildQueue]:
    database = SqlDatabase(url)
    await upgrade_queue(database)
    await upgrade_queue(database)
    await database.close()
    opened = ProcrastinateBuildQueue(url.replace("+psycopg", ""), concurrency=concurrency, limit=LIMIT)
    await opened.open()
    try:
        yield opened
    finally:
        await opened.stop()
        await opened.close()


@pytest.fixture
def url(postgresql_server: PostgreSQL) -> str:
    return postgresql_server.new_database()


@pytest.fixture(params=["in process", "procrastinate"])
async def queue(request: pytest.FixtureRequest) -> AsyncIterator[Queue]:
    if request.param == "in process":
        made = InProcessBuildQueue(concurrency=1, limit=LIMIT)
        yield made
        await made.stop()
        return
    async with procrastinate_queue(request.getfixturevalue("url")) as opened:
        yield opened


async def began(runs: Runs, count: int) -> None:
    await eventually(lambda: len(runs.begun) >= count, timeout_seconds=20, what=f"{count} builds have begun")


async def test_builds_run_in_order_a_bounded_number_at_a_time(queue: Queue) -> None:
    runs, builds = Runs(), [wanted(f"site-{number}") for number in range(3)]
    for build in builds:
        await queue.submit(build)
    queue.start(runs)
    await began(runs, 1)
    assert runs.begun == [builds[0].id]
    runs.may_end.set()
    await eventually(lambda: len(runs.ended) == 3, timeout_seconds=20, what="all builds have ended")
    assert runs.ended == [build.id for build in builds]


async def test_owners_take_turns_and_the_schedule_comes_last(queue: Queue) -> None:
    many = [wanted(f"many-{number}", owner="many") for number in range(3)]
    few, scheduled = wanted("few", owner="few"), wanted("scheduled", owner="third", trigger=BuildTrigger.REFRESH)
    for build in (scheduled, *many, few):
        await queue.submit(build)
    runs = Runs()
    runs.may_end.set()
    queue.start(runs)
    await eventually(lambda: len(runs.ended) == 5, timeout_seconds=20, what="all builds have ended")
    assert runs.ended == [many[0].id, few.id, many[1].id, many[2].id, scheduled.id]


async def test_build_of_the_schedule_that_somebody_wants_moves_up(queue: Queue) -> None:
    scheduled = [wanted(f"site-{number}", trigger=BuildTrigger.REFRESH) for number in range(3)]
    for build in scheduled:
        await queue.submit(build)
    await queue.promote(scheduled[2].id)
    await queue.promote("unknown")
    runs = Runs()
    runs.may_end.set()
    queue.start(runs)
    await eventually(lambda: len(runs.ended) == 3, timeout_seconds=20, what="all builds have ended")
    assert runs.ended == [scheduled[2].id, scheduled[0].id, scheduled[1].id]


async def test_more_than_the_limit_is_refused(queue: Queue) -> None:
    for number in range(LIMIT):
        await queue.ensure_room()
        await queue.submit(wanted(f"site-{number}"))
    with pytest.raises(BuildQueueFull):
        await queue.ensure_room()
    with pytest.raises(BuildQueueFull):
        await queue.submit(wanted("one-more"))


async def test_build_that_waits_is_not_queued_twice(queue: Queue) -> None:
    build, runs = wanted("site"), Runs()
    await queue.submit(build)
    await queue.submit(build)
    runs.may_end.set()
    queue.start(runs)
    last = wanted("last")
    await queue.submit(last)
    await eventually(lambda: last.id in runs.ended, timeout_seconds=20, what="the last build has ended")
    assert runs.ended == [build.id, last.id]


async def test_cancelled_build_that_waits_never_runs(queue: Queue) -> None:
    first, second, runs = wanted("first"), wanted("second"), Runs()
    await queue.submit(first)
    await queue.submit(second)
    await queue.cancel(first.id)
    await queue.cancel("unknown")
    runs.may_end.set()
    queue.start(runs)
    await eventually(lambda: second.id in runs.ended, timeout_seconds=20, what="the second build has ended")
    assert runs.begun == [second.id]


async def test_cancelled_build_that_runs_is_told_so(queue: Queue) -> None:
    build, runs = wanted("site"), Runs()
    await queue.submit(build)
    queue.start(runs)
    await began(runs, 1)
    await queue.cancel(build.id)
    await eventually(lambda: build.id in runs.cancelled, timeout_seconds=20, what="the build was cancelled")
    assert runs.cancelled == {build.id: True}


async def test_build_of_a_queue_that_stops_is_told_that_nobody_asked(queue: Queue) -> None:
    build, runs = wanted("site"), Runs()
    await queue.submit(build)
    queue.start(runs)
    await began(runs, 1)
    await queue.stop()
    assert runs.cancelled == {build.id: False}


async def test_entity_is_built_by_one_worker_at_a_time(url: str) -> None:
    async with procrastinate_queue(url) as one, procrastinate_queue(url) as other:
        first, second = Runs(), Runs()
        running, waiting = wanted("site"), wanted("site")
        await one.submit(running)
        one.start(first)
        await began(first, 1)
        other.start(second)
        await other.submit(waiting)
        elsewhere = wanted("elsewhere")
        await other.submit(elsewhere)
        await began(second, 1)
        assert second.begun == [elsewhere.id]
        assert await one.jobs() == {
            running.id: JobState.RUNNING,
            waiting.id: JobState.WAITING,
            elsewhere.id: JobState.RUNNING,
        }
        second.may_end.set()
        first.may_end.set()
        await eventually(
            lambda: waiting.id in (*first.ended, *second.ended), timeout_seconds=20, what="the build that waited ran"
        )


async def test_build_of_a_worker_that_stops_waits_for_another(url: str) -> None:
    async with procrastinate_queue(url) as stopping, procrastinate_queue(url) as other:
        build, runs = wanted("site"), Runs()
        await stopping.submit(build)
        stopping.start(runs)
        await began(runs, 1)
        await stopping.stop()
        assert await other.jobs() == {build.id: JobState.WAITING}
        again = Runs()
        again.may_end.set()
        other.start(again)
        await eventually(lambda: build.id in again.ended, timeout_seconds=20, what="the other worker ran it")


async def test_worker_whose_job_was_taken_over_says_so_and_goes_on(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with procrastinate_queue(url) as queue:
        runs, build, next_build = Runs(), wanted("site"), wanted("other")
        await queue.submit(build)
        queue.start(runs)
        await began(runs, 1)
        async with await psycopg.AsyncConnection.connect(url.replace("+psycopg", ""), autocommit=True) as database:
            await database.execute("DELETE FROM procrastinate_jobs")
        runs.may_end.set()
        await eventually(lambda: "job_was_taken_over" in caplog.messages, what="it said so")
        await queue.submit(next_build)
        await eventually(lambda: next_build.id in runs.ended, what="it runs the next build")
    gc.collect()
    assert not [record for record in caplog.records if "never retrieved" in record.getMessage()]


async def test_submitting_to_a_database_that_is_gone_is_unavailable_storage() -> None:
    queue = ProcrastinateBuildQueue("postgresql://nobody@127.0.0.1:9/nothing", concurrency=1, limit=1)
    try:
        with pytest.raises(Exception, match="storage is unavailable"):
            await queue.open()
    finally:
        await queue.close()
