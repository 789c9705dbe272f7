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
# Builds of one entity until one is killed in time: a moment may come when the build has just ended.
TRIES = 8
DELAYS = random.Random(20261124)
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
    """Workers that are killed and begun anew, each with one build at a time: every kill is one build's."""

    site: Replicas
    server: Replica
    builds: list[str] = field(default_factory=list)
    hit: list[tuple[str, builds_pb2.BuildState.ValueType]] = field(default_factory=list)
    """The build that each kill took its worker from, and the state it was in."""
    below: set[int] = field(default_factory=set)
    """The processes that those workers had started."""
    _workers: dict[str, Replica] = field(default_factory=dict)

    async def begin(self, name: str) -> None:
        self._workers[name] = await self.site.start("worker", name, build_concurrency=1)

    async def once(self, name: str, state: builds_pb2.BuildState.ValueType, most_seconds: float) -> None:
        """Build a site and kill the worker that does it, a while after the build came into a state."""
        for turn in range(TRIES):
            request = builds_pb2.CreateBuildRequest(entity=component(name), force=turn > 0)
            build = (await self.server.client.builds.CreateBuild(request)).build.name
            self.builds.append(build)
            if await self._at(build, state, DELAYS.uniform(0, most_seconds)):
                return
        raise AssertionError(f"{TRIES} builds of {name} ended before they could be killed")

    async def _at(self, build: str, state: builds_pb2.BuildState.ValueType, after: float) -> bool:
        watch = self.server.client.builds.WatchBuild(builds_pb2.WatchBuildRequest(name=build))
        async for message in watch:
            if message.event.state_change.state >= state:
                break
        watch.cancel()
        await asyncio.sleep(after)
        run = await self.server.build(build)
        worker = next(
            (name for name, each in self._workers.items() if run.worker.endswith(f"-{each.service.process.pid}")), None
        )
        if worker is None or run.state >= builds_pb2.BUILD_STATE_SUCCEEDED:
            return False
        service = self._workers.pop(worker).service
        self.below |= tree_of(service.process.pid)
        await service.kill()
        self.hit.append((build, run.state))
        await self.begin(worker)
        return True

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
@pytest.mark.timeout(600)
async def test_builds_whose_worker_is_killed_at_any_moment_are_ended_by_another(site: Replicas) -> None:
    for name in NAMES:
        site.catalog.add(name, {"index.md": FRONT.format(1), **assets(1)})
    server = await site.start("server", "server")
    killing = Killing(site, server)
    await asyncio.gather(*(killing.begin(f"worker-{number}") for number in range(WORKERS)))
    for name in NAMES:
        await publish(server, name)
    async with reading(server) as wrong:
        moments = [MOMENTS[number % len(MOMENTS)] for number in range(len(NAMES))]
        await asyncio.gather(
            *(killing.once(name, state, most) for name, (state, most) in zip(NAMES, moments, strict=True))
        )

        async def ended() -> bool:
            return all(build.state >= builds_pb2.BUILD_STATE_SUCCEEDED for build in await killing.all())

        await eventually(ended, timeout_seconds=ENDED_SECONDS, what="every build has ended")
    for build in await killing.all():
        assert build.state == builds_pb2.BUILD_STATE_SUCCEEDED, build
        assert build.attempt <= 3
    assert wrong == []
    assert len(killing.hit) == len(NAMES)
    assert len({state for _, state in killing.hit}) == 3, f"the moments must be of every state: {killing.hit}"
    for name in NAMES:
        assert "generation-1" in await server.page(name)
    await eventually(
        lambda: not [pid for pid in killing.below if is_running(pid)], what="no process is left of the killed"
    )
