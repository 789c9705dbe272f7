"""Workers that are killed at any moment of a build: another one ends it, and readers notice nothing."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from techdocs.v1 import builds_pb2, docs_pb2

from tests.support.postgresql import PostgreSQL
from tests.support.processes import children_of, is_running
from tests.support.publish_messages import header, send, whole
from tests.support.replicas import Replica, Replicas, replicas
from tests.support.rpc_client import component
from tests.support.seaweedfs import SeaweedFS
from tests.support.waiting import eventually

NAMES = [f"site-{number}" for number in range(20)]
WORKERS = 4
# Each state of a running build, and how long after a build came into it its worker dies, at most.
MOMENTS = (
    (builds_pb2.BUILD_STATE_PREPARING, 0.0),
    (builds_pb2.BUILD_STATE_PREPARING, 0.1),
    (builds_pb2.BUILD_STATE_GENERATING, 0.5),
    (builds_pb2.BUILD_STATE_PUBLISHING, 0.0),
    (builds_pb2.BUILD_STATE_PUBLISHING, 0.2),
)
ENDED_SECONDS = 75.0
# A publish that takes a while: there are moments between its blobs.
ASSETS = 20
FRONT = "# Front\n\nThis is generation-{}.\n"


@pytest.fixture
async def site(tmp_path: Path, s3_server: SeaweedFS, postgresql_server: PostgreSQL) -> AsyncIterator[Replicas]:
    async with replicas(tmp_path, s3_server, postgresql_server) as made:
        yield made


def tree_of(pid: int) -> set[int]:
    """Return the running processes below one."""
    found = set(children_of(pid))
    return found.union(*(tree_of(child) for child in found))


@dataclass
class Killing:
    """Workers that are killed and begun anew."""

    site: Replicas
    server: Replica
    killed: dict[str, float] = field(default_factory=dict)
    below: set[int] = field(default_factory=set)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def begin(self, name: str) -> None:
        self._locks.setdefault(name, asyncio.Lock())
        await self.site.start("worker", name, build_concurrency=1)

    async def at(self, build: str, state: builds_pb2.BuildState.ValueType, after: float) -> None:
        """Kill the worker of a build a while after it came into a state, and begin another one."""
        watch = self.server.client.builds.WatchBuild(builds_pb2.WatchBuildRequest(name=build))
        async for message in watch:
            if message.event.state_change.state >= state:
                break
        watch.cancel()
        await asyncio.sleep(after)
        pid = (await self.server.build(build)).worker.rpartition("-")[2]
        for name, worker in list(self.site.running.items()):
            if name in self._locks and str(worker.service.process.pid) == pid:
                async with self._locks[name]:
                    if worker.service.process.returncode is None:
                        self.below |= tree_of(worker.service.process.pid)
                        await worker.service.kill()
                        if (await self.server.build(build)).state != builds_pb2.BUILD_STATE_SUCCEEDED:
                            self.killed[build] = time.monotonic()
                        await self.begin(name)


def assets(generation: int) -> dict[str, str]:
    return {f"assets/{number}.txt": f"asset {number} of generation-{generation}" for number in range(ASSETS)}


async def publish(server: Replica, name: str) -> None:
    """Publish generation 0 as CI does."""
    site = {"index.html": FRONT.format(0), **assets(0)}
    contents = {path: text.encode() for path, text in site.items()}
    await send(server.service.grpc, whole(contents, header(component(name), source_etag="0")))


@asynccontextmanager
async def reading(server: Replica) -> AsyncIterator[list[str]]:
    """Read sites until the context ends; return what was wrong with them."""
    wrong: list[str] = []
    count = 0

    async def read() -> None:
        nonlocal count
        for turn in range(10**9):
            entity = component(NAMES[turn % len(NAMES)])
            try:
                front = await server.client.docs.GetContent(docs_pb2.GetContentRequest(entity=entity))
                asset = docs_pb2.GetContentRequest(
                    entity=entity, path=f"assets/{turn % ASSETS}.txt", revision=front.info.revision
                )
                text = (await server.client.docs.GetContent(asset)).body.data.decode()
            except grpc.aio.AioRpcError as error:
                wrong.append(str(error))
                continue
            mark = text.rpartition(" ")[2]
            if mark not in front.body.data.decode():
                wrong.append(f"{entity.name}: {mark} is not what the front page says")
            count += 1
            await asyncio.sleep(0.01)

    task = asyncio.create_task(read())
    try:
        yield wrong
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert count > 100


async def test_builds_whose_worker_is_killed_at_any_moment_are_ended_by_another(site: Replicas) -> None:
    for name in NAMES:
        site.catalog.add(name, {"index.md": FRONT.format(1), **assets(1)})
    delays = random.Random(20261124)
    server = await site.start("server", "server")
    killing = Killing(site, server)
    await asyncio.gather(*(killing.begin(f"worker-{number}") for number in range(WORKERS)))
    for name in NAMES:
        await publish(server, name)
    async with reading(server) as wrong:
        builds = [(await server.create(name)).name for name in NAMES]
        moments = [MOMENTS[number % len(MOMENTS)] for number in range(len(NAMES))]
        await asyncio.gather(
            *(
                killing.at(build, state, delays.uniform(0, most))
                for build, (state, most) in zip(builds, moments, strict=True)
            )
        )

        async def ended() -> bool:
            states = [(await server.build(build)).state for build in builds]
            return all(state >= builds_pb2.BUILD_STATE_SUCCEEDED for state in states)

        await eventually(ended, timeout_seconds=ENDED_SECONDS, what="every build has ended")
    last = [await server.build(build) for build in builds]
    for build in last:
        assert build.state == builds_pb2.BUILD_STATE_SUCCEEDED, build
        assert build.attempt <= 3
    assert wrong == []
    assert len(killing.killed) >= len(NAMES) // 2, "the moments must hit builds"
    assert sum(build.attempt > 1 for build in last) >= len(killing.killed) // 2
    for name in NAMES:
        assert "generation-1" in await server.page(name)
    await eventually(
        lambda: not [pid for pid in killing.below if is_running(pid)], what="no process is left of the killed"
    )
