"""Workers that are killed at any moment of a build: another one ends it, and readers notice nothing."""

from __future__ import annotations

import asyncio
import random
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
WORKERS = 3
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
ASSETS = 12
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
    """Workers that are killed and begun anew, each with two builds at a time."""

    site: Replicas
    server: Replica
    builds: list[str] = field(default_factory=list)
    hit: dict[str, str] = field(default_factory=dict)
    """The builds that lost a worker, and the state they were in."""
    below: set[int] = field(default_factory=set)
    """The processes that those workers had started."""
    _workers: dict[str, Replica] = field(default_factory=dict)

    async def begin(self, name: str) -> None:
        self._workers[name] = await self.site.start("worker", name, build_concurrency=2)

    async def at(self, build: str, state: builds_pb2.BuildState.ValueType, after: float) -> None:
        """Kill the worker of a build a while after it came into a state, and begin another one."""
        watch = self.server.client.builds.WatchBuild(builds_pb2.WatchBuildRequest(name=build))
        async for message in watch:
            if message.event.state_change.state >= state:
                break
        watch.cancel()
        await asyncio.sleep(after)
        runs = [each for each in await self.all() if each.worker and each.state < builds_pb2.BUILD_STATE_SUCCEEDED]
        worker = next((each.worker for each in runs if each.name == build), None)
        doomed = [each for each in runs if each.worker == worker]
        name = next(
            (
                name
                for name, each in self._workers.items()
                if worker and worker.endswith(f"-{each.service.process.pid}")
            ),
            None,
        )
        # It ended, or its worker is dead already; and nothing dies three times.
        if name is None or any(each.attempt > 2 for each in doomed):
            return
        service = self._workers.pop(name).service
        self.below |= tree_of(service.process.pid)
        await service.kill()
        for each in doomed:
            self.hit.setdefault(each.name, builds_pb2.BuildState.Name(each.state))
        await self.begin(name)

    async def all(self) -> list[builds_pb2.Build]:
        return list(await asyncio.gather(*map(self.server.build, self.builds)))


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
            await asyncio.sleep(0.03)

    task = asyncio.create_task(read())
    try:
        yield wrong
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert count > 100


@pytest.mark.slow
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
        builds = killing.builds = [(await server.create(name)).name for name in NAMES]
        moments = [MOMENTS[number % len(MOMENTS)] for number in range(len(NAMES))]
        await asyncio.gather(
            *(
                killing.at(build, state, delays.uniform(0, most))
                for build, (state, most) in zip(builds, moments, strict=True)
            )
        )

        async def ended() -> bool:
            return all(build.state >= builds_pb2.BUILD_STATE_SUCCEEDED for build in await killing.all())

        await eventually(ended, timeout_seconds=ENDED_SECONDS, what="every build has ended")
    for build in await killing.all():
        assert build.state == builds_pb2.BUILD_STATE_SUCCEEDED, build
        assert build.attempt <= 3
    assert wrong == []
    assert len(killing.hit) >= len(NAMES) // 2, "the moments must hit builds"
    assert len(set(killing.hit.values())) == 3, f"the moments must be of every state: {killing.hit}"
    for name in NAMES:
        assert "generation-1" in await server.page(name)
    await eventually(
        lambda: not [pid for pid in killing.below if is_running(pid)], what="no process is left of the killed"
    )
