"""Builds whose worker was lost are begun anew, a bounded number of times."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from techdocs_server.adapters.clock import SystemClock
from techdocs_server.adapters.queue.procrastinate import ProcrastinateBuildQueue
from techdocs_server.adapters.queue.procrastinate_schema import upgrade_queue
from techdocs_server.adapters.records.sql_builds import SqlBuildRecords
from techdocs_server.domain.build import Build, BuildEvent, BuildState
from techdocs_server.ports.queue import JobState
from techdocs_server.services.build_events import BuildEvents
from techdocs_server.services.reaping import MAX_ATTEMPTS, Reaper

from tests.contract.test_build_queue import Runs, began
from tests.support.clocks import NOON
from tests.support.postgresql import PostgreSQL
from tests.support.record_values import entity, queued
from tests.support.stores import open_database


@dataclass
class Workers:
    """A queue with one worker, whose records a reaper looks at."""

    records: SqlBuildRecords
    queue: ProcrastinateBuildQueue
    reaper: Reaper
    conninfo: str

    def lose_every_worker(self) -> None:
        """Make it look as if no worker had said for a while that it lives."""
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            connection.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute'")

    async def stored(self, build: Build) -> Build:
        await self.records.append_events(build, [BuildEvent(build.last_sequence + 1, NOON, build)])
        return await self.found(build.id)

    async def found(self, build_id: str) -> Build:
        build = await self.records.build(build_id)
        assert build is not None
        return build


@pytest.fixture
async def workers(tmp_path: Path, postgresql_server: PostgreSQL) -> AsyncIterator[Workers]:
    async with open_database(tmp_path, postgresql_server) as database:
        await upgrade_queue(database)
        conninfo = database.url.replace("+psycopg", "")
        queue = ProcrastinateBuildQueue(conninfo, concurrency=1, limit=10)
        await queue.open()
        records = SqlBuildRecords(database)
        reaper = Reaper(records=records, queue=queue, events=BuildEvents(records), clock=SystemClock())
        try:
            yield Workers(records, queue, reaper, conninfo)
        finally:
            await queue.stop()
            await queue.close()


async def running(workers: Workers) -> Build:
    """Return a build that a worker runs and will never end."""
    build = await workers.records.create_build(queued(entity("site")))
    await workers.queue.submit(build)
    runs = Runs()
    workers.queue.start(runs)
    await began(runs, 1)
    return await workers.stored(build.moved(BuildState.PREPARING, now=NOON))


async def test_build_of_a_living_worker_is_left_alone(workers: Workers) -> None:
    build = await running(workers)
    for _ in range(3):
        await workers.reaper.look()
    assert await workers.found(build.id) == build
    assert await workers.queue.jobs() == {build.id: JobState.RUNNING}


async def test_build_of_a_lost_worker_waits_again_as_the_next_attempt(workers: Workers) -> None:
    build = await running(workers)
    workers.lose_every_worker()
    await workers.reaper.look()
    again = await workers.found(build.id)
    assert (again.state, again.attempt) == (BuildState.QUEUED, 2)
    # Another worker, or the one that was only slow, takes the new job.
    assert (await workers.queue.jobs())[build.id] in (JobState.WAITING, JobState.RUNNING)
    await workers.reaper.look()
    assert (await workers.found(build.id)).attempt == 2


async def test_build_that_lost_its_last_worker_fails_with_the_reason(workers: Workers) -> None:
    build = await running(workers)
    for _ in range(MAX_ATTEMPTS - 1):
        retried = await workers.stored((await workers.found(build.id)).retried(now=NOON))
        await workers.stored(retried.moved(BuildState.PREPARING, now=NOON))
    workers.lose_every_worker()
    await workers.reaper.look()
    ended = await workers.found(build.id)
    assert ended.state is BuildState.FAILED
    assert ended.problem is not None
    assert "its worker was lost 3 times" in ended.problem.message
    assert await workers.queue.jobs() == {}


async def test_build_that_was_never_submitted_is(workers: Workers) -> None:
    build = await workers.records.create_build(queued(entity("site")))
    await workers.reaper.look()
    assert await workers.queue.jobs() == {}  # its submit may be on its way
    await workers.reaper.look()
    assert await workers.queue.jobs() == {build.id: JobState.WAITING}


async def test_lost_job_of_a_build_that_has_ended_is_dropped(workers: Workers) -> None:
    build = await running(workers)
    await workers.stored(build.moved(BuildState.CANCELLED, now=NOON))
    workers.lose_every_worker()
    await workers.reaper.look()
    assert await workers.queue.jobs() == {}
