"""Servers and workers apart, over one PostgreSQL and one bucket."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from techdocs.v1 import builds_pb2

from tests.support.postgresql import PostgreSQL
from tests.support.replicas import Replica, Replicas, replicas
from tests.support.rpc_client import collected, component
from tests.support.seaweedfs import SeaweedFS
from tests.support.waiting import eventually

GENERATING = builds_pb2.BUILD_STATE_GENERATING


@pytest.fixture
async def site(tmp_path: Path, s3_server: SeaweedFS, postgresql_server: PostgreSQL) -> AsyncIterator[Replicas]:
    async with replicas(tmp_path, s3_server, postgresql_server) as made:
        yield made


async def reached(server: Replica, build: str, state: builds_pb2.BuildState.ValueType, *, attempt: int = 1) -> None:
    async def there() -> bool:
        current = await server.build(build)
        return (current.state, current.attempt) == (state, attempt)

    await eventually(there, timeout_seconds=90, what=f"{build} is in state {state}, attempt {attempt}")


async def test_what_one_server_asks_for_a_worker_builds_and_every_server_reads(site: Replicas) -> None:
    site.add("demo")
    first = await site.start("server", "first")
    second = await site.start("server", "second")
    await site.start("worker", "worker")

    made = await first.create("demo")
    watched = await collected(second.client.builds.WatchBuild(builds_pb2.WatchBuildRequest(name=made.name)))
    events = [message.event for message in watched if message.HasField("event")]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert events[-1].state_change.state == builds_pb2.BUILD_STATE_SUCCEEDED
    assert "generation-0" in await second.page("demo")
    assert "generation-0" in await first.page("demo")

    # Both servers have the pointer in memory now; the next one must reach both within a second.
    site.edit("demo", 1)
    assert (await second.sync("demo")).updated
    done = time.monotonic()
    while not all("generation-1" in page for page in [await first.page("demo"), await second.page("demo")]):
        assert time.monotonic() - done < 1, "a server still serves the old revision"


async def test_one_build_of_an_entity_runs_however_many_ask_wherever(site: Replicas) -> None:
    site.add("demo", held=True)
    servers = [await site.start("server", f"server-{number}") for number in range(2)]
    for number in range(2):
        await site.start("worker", f"worker-{number}")
    site.gate.touch()
    asked = [asyncio.create_task(servers[number % 2].sync("demo")) for number in range(40)]
    made = await servers[0].create("demo")
    await reached(servers[0], made.name, GENERATING)
    site.gate.unlink()
    answers = await asyncio.gather(*asked)
    assert {answer.build for answer in answers} == {made.name}
    listed = await servers[1].client.builds.ListBuilds(builds_pb2.ListBuildsRequest(entity=component("demo")))
    assert [build.name for build in listed.builds] == [made.name]


async def test_build_is_cancelled_from_any_server(site: Replicas) -> None:
    site.add("demo", "waits", held=True)
    first = await site.start("server", "first")
    second = await site.start("server", "second")
    await site.start("worker", "worker", build_concurrency=1)
    site.gate.touch()
    runs = await first.create("demo")
    await reached(first, runs.name, GENERATING)
    waits = await first.create("waits")
    for build in (waits, runs):
        await second.client.builds.CancelBuild(builds_pb2.CancelBuildRequest(name=build.name))
        await reached(second, build.name, builds_pb2.BUILD_STATE_CANCELLED)


async def test_build_of_a_killed_worker_is_run_by_another(site: Replicas) -> None:
    site.add("demo", held=True)
    server = await site.start("server", "server")
    doomed = await site.start("worker", "doomed")
    site.gate.touch()
    build = await server.create("demo")
    await reached(server, build.name, GENERATING)
    await site.start("worker", "other")
    killed = time.monotonic()
    await doomed.service.kill()
    site.gate.unlink()
    await reached(server, build.name, builds_pb2.BUILD_STATE_SUCCEEDED, attempt=2)
    assert time.monotonic() - killed < 75
    assert "generation-0" in await server.page("demo")
    events = await collected(server.client.builds.WatchBuild(builds_pb2.WatchBuildRequest(name=build.name)))
    log = [message.event.log.text for message in events if message.event.HasField("log")]
    assert any("no longer answers" in line for line in log)


async def test_worker_that_was_paused_past_its_lease_publishes_nothing(site: Replicas) -> None:
    site.add("demo", held=True)
    server = await site.start("server", "server")
    paused = await site.start("worker", "paused")
    site.gate.touch()
    build = await server.create("demo")
    await reached(server, build.name, GENERATING)
    os.kill(paused.service.process.pid, signal.SIGSTOP)
    try:
        other = await site.start("worker", "other")
        await reached(server, build.name, GENERATING, attempt=2)
        os.kill(paused.service.process.pid, signal.SIGCONT)
        # Both attempts go on from here; the first has the shorter way.
        site.edit("demo", 1)
        site.gate.unlink()
        await eventually(
            lambda: "build_superseded" in paused.service.logged(), timeout_seconds=30, what="the paused worker gave up"
        )
    finally:
        os.kill(paused.service.process.pid, signal.SIGCONT)
    await reached(server, build.name, builds_pb2.BUILD_STATE_SUCCEEDED, attempt=2)
    assert (await server.build(build.name)).worker.endswith(f"-{other.service.process.pid}")
    assert (await server.sync("demo")).revision
    assert "generation-1" in await server.page("demo")


async def test_worker_that_stops_hands_its_build_over(site: Replicas) -> None:
    site.add("demo", held=True)
    server = await site.start("server", "server")
    stopping = await site.start("worker", "stopping")
    site.gate.touch()
    build = await server.create("demo")
    await reached(server, build.name, GENERATING)
    await site.start("worker", "other")
    assert await stopping.service.terminate() == 0
    await reached(server, build.name, GENERATING, attempt=2)
    site.gate.unlink()
    await reached(server, build.name, builds_pb2.BUILD_STATE_SUCCEEDED, attempt=2)
