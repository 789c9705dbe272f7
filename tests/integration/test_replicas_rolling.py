"""Every process of a deployment is restarted, one after the other, and nobody who reads notices."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from techdocs.v1 import builds_pb2

from tests.integration.readers import Moves, Reader, RESTReader, StreamReader, UnaryReader
from tests.support.ports import free_port
from tests.support.postgresql import PostgreSQL
from tests.support.replicas import Replica, Replicas, replicas
from tests.support.rpc_client import collected, component, connected
from tests.support.seaweedfs import SeaweedFS
from tests.support.services import RunningService, start
from tests.support.waiting import eventually

PATHS = ("index.html", "search/search_index.json", "techdocs_metadata.json")
DEMO = component("demo")
# A few hundred reads a second, all of which share two processors with what is restarted.
PACE_SECONDS = 0.02
# What a client of several servers sets, as docs/reading-docs-over-grpc.md has it.
SERVICE_CONFIG = json.dumps(
    {
        "loadBalancingConfig": [{"round_robin": {}}],
        "healthCheckConfig": {"serviceName": ""},
        "methodConfig": [
            {
                "name": [{"service": "techdocs.v1.DocsService"}],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "1s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ],
    }
)


@pytest.fixture
async def site(tmp_path: Path, s3_server: SeaweedFS, postgresql_server: PostgreSQL) -> AsyncIterator[Replicas]:
    async with replicas(tmp_path, s3_server, postgresql_server) as made:
        yield made


@asynccontextmanager
async def reading(bridge: RunningService, target: str, moves: Moves) -> AsyncIterator[list[Reader]]:
    """Read over REST and gRPC until the context ends."""
    async with AsyncExitStack() as stack:
        rest = [await stack.enter_async_context(httpx.AsyncClient(base_url=bridge.rest, timeout=30)) for _ in range(2)]
        client = await stack.enter_async_context(connected(target, service_config=SERVICE_CONFIG))
        docs, static = "/docs/default/component/demo", "/api/techdocs/static/docs/default/component/demo"
        readers: list[Reader] = [
            RESTReader(PATHS, moves, client=rest[0], base=docs, pace_seconds=PACE_SECONDS),
            RESTReader(PATHS[::-1], moves, client=rest[1], base=static, conditional=True, pace_seconds=PACE_SECONDS),
            UnaryReader(PATHS, moves, client=client, entity=DEMO, pace_seconds=PACE_SECONDS),
            StreamReader(PATHS[::-1], moves, client=client, entity=DEMO, pace_seconds=PACE_SECONDS),
        ]
        tasks = [asyncio.create_task(reader.run()) for reader in readers]
        try:
            yield readers
        finally:
            for reader in readers:
                reader.stop()
            await asyncio.gather(*tasks)


async def state_of(server: Replica, build: str) -> tuple[str, int]:
    found = await server.build(build)
    return builds_pb2.BuildState.Name(found.state).removeprefix("BUILD_STATE_"), found.attempt


async def reached(server: Replica, build: str, *wanted: tuple[str, int]) -> None:
    async def there() -> bool:
        return await state_of(server, build) in wanted

    await eventually(there, timeout_seconds=60, what=f"{build} is one of {wanted}")


async def sync(bridge: RunningService, name: str) -> str:
    async with httpx.AsyncClient(base_url=bridge.rest, timeout=60) as client:
        answer = await client.post(f"/api/techdocs/sync/default/component/{name}")
    assert answer.status_code == 200, answer.text
    return str(answer.json()["revision"])


async def read_more(readers: list[Reader]) -> None:
    before = [len(reader.sights) for reader in readers]
    await eventually(
        lambda: all(len(reader.sights) > count + 5 for reader, count in zip(readers, before, strict=True)),
        timeout_seconds=20,
        what="every reader goes on reading",
    )


@pytest.mark.slow
async def test_rolling_restart_fails_no_read_and_no_build(site: Replicas) -> None:
    site.add("demo")
    site.add("slow", "slower", held=True)
    ports = {name: free_port() for name in ("first", "second")}
    servers = {name: await site.start("server", name, server_listen=f"127.0.0.1:{ports[name]}") for name in ports}
    workers = [await site.start("worker", f"worker-{number}", build_concurrency=1) for number in range(2)]
    target = "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports.values())
    bridge = await start("bridge", site.folder / "bridge", bridge_server_target=target)
    moves = Moves()
    try:
        await moves.make(lambda: sync(bridge, "demo"))
        listed = await servers["first"].client.builds.ListBuilds(builds_pb2.ListBuildsRequest(entity=DEMO))
        watched = await collected(
            servers["second"].client.builds.WatchBuild(builds_pb2.WatchBuildRequest(name=listed.builds[0].name))
        )
        assert watched[-1].event.state_change.state == builds_pb2.BUILD_STATE_SUCCEEDED

        site.gate.touch()
        builds = [(await servers["first"].create(name)).name for name in ("slow", "slower")]
        for build in builds:
            await reached(servers["first"], build, ("GENERATING", 1))
        async with reading(bridge, target, moves) as readers:
            await read_more(readers)
            for worker in workers:
                assert await worker.service.terminate() == 0
                await site.start("worker", worker.name, build_concurrency=1)
            for build in builds:
                await reached(servers["first"], build, ("GENERATING", 2))
            for name, server in servers.items():
                assert await server.service.terminate() == 0
                servers[name] = await site.start("server", name, server_listen=f"127.0.0.1:{ports[name]}")
                await read_more(readers)
            site.gate.unlink()
            for build in builds:
                await reached(servers["second"], build, ("SUCCEEDED", 2))
            site.edit("demo", 1)
            await moves.make(lambda: sync(bridge, "demo"))
            await read_more(readers)
    finally:
        await bridge.terminate()
    assert [failure for reader in readers for failure in reader.failures] == [], "\n".join(readers[0].failures)
    for reader in readers:
        assert {sight.revision for sight in reader.sights} == set(moves.revisions)
        assert len({(sight.revision, sight.path, sight.sha256) for sight in reader.sights}) == 2 * len(PATHS)
    for server in servers.values():
        assert "generation-0" in await server.page("slow")
