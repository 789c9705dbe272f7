"""Liveness and readiness, and what readers are told when a side of the service is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from tests.conformance.event_streams import parse
from tests.support.holding import HoldingToolchain
from tests.support.published import BUILD_SECONDS, Catalog, Deployment, deployed, site_path
from tests.support.services import running as successor
from tests.support.waiting import eventually

STREAM = {"accept": "text/event-stream"}
HELD = "/sync/default/component/held"


@asynccontextmanager
async def service(folder: Path) -> AsyncIterator[tuple[Deployment, httpx.AsyncClient, Path]]:
    """Run a deployment whose builds wait while the gate, which is returned, exists."""
    catalog, toolchain = Catalog(folder / "catalog"), HoldingToolchain(folder / "toolchain")
    catalog.add("held", gate=toolchain.gate)
    async with (
        deployed(folder, catalog, server=toolchain.settings) as running,
        httpx.AsyncClient(base_url=running.rest, timeout=BUILD_SECONDS) as client,
    ):
        yield running, client, toolchain.gate


async def test_lost_server_is_broken_and_never_missing(tmp_path: Path) -> None:
    async with service(tmp_path) as (running, client, _):
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        assert (await client.get("/readyz")).json() == {"status": "ok"}
        await running.server.kill()

        await eventually(lambda: _is_unready(client), what="the bridge denies readiness")
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()) == (503, {"status": "unavailable"})
        assert ready.headers["cache-control"] == "no-store"
        assert (await client.get("/healthz")).status_code == 200

        # At once, because each waits a second for a server that might come back.
        paths = [site_path("held"), "/metadata/techdocs/default/component/held", "/v1/sites"]
        static_path = site_path("held", below="static/docs", path="index.html")
        *reads, static, sync = await asyncio.gather(
            *(client.get(path, headers={"accept": "text/html"}) for path in [*paths, static_path]),
            client.get(HELD, headers=STREAM),
        )
        for answer in reads:
            assert answer.status_code == 503, answer.url
            assert answer.headers["retry-after"] == "5"
            assert answer.json()["error"]["name"] == "ServiceUnavailableError"
        assert static.status_code == 500, "whose client takes 503 for a page"
        assert static.json()["response"] == {"statusCode": 500}
        assert (sync.status_code, [event.name for event in parse(sync.text)]) == (503, ["error"])


async def _is_unready(client: httpx.AsyncClient) -> bool:
    return (await client.get("/readyz")).status_code == 503


async def test_lost_server_ends_a_running_stream_with_an_error(tmp_path: Path) -> None:
    async with service(tmp_path) as (running, client, gate):
        gate.touch()
        async with client.stream("GET", HELD, headers=STREAM) as answer:
            reading = asyncio.create_task(answer.aread())
            await eventually(lambda: _is_building(client), what="the build runs")
            await running.server.kill()
            async with asyncio.timeout(10):
                events = parse((await reading).decode())
        assert events[-1].name == "error"
        assert [event.name for event in events[:-1]] == ["log"] * (len(events) - 1)
        gate.unlink()


async def test_stopping_bridge_ends_streams_and_answers_who_waits(tmp_path: Path) -> None:
    async with service(tmp_path) as (running, client, gate):
        gate.touch()
        async with client.stream("GET", HELD, headers=STREAM) as answer:
            waiting = asyncio.create_task(client.post(HELD))
            reading = asyncio.create_task(answer.aread())
            await eventually(lambda: _is_building(client), what="the build runs")
            stopping = asyncio.create_task(running.bridge.terminate())
            events = parse((await reading).decode())
        assert (events[-1].name, events[-1].data) == ("error", "the server is shutting down; try again")
        refused = await waiting
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"
        assert refused.json()["error"]["details"][0]["reason"] == "SERVER_DRAINING"
        assert await stopping == 0
        gate.unlink()


async def _is_building(client: httpx.AsyncClient) -> bool:
    answer = await client.get("/v1/builds", params={"states": "BUILD_STATE_GENERATING"})
    return bool(answer.json()["builds"])


async def test_stopping_server_ends_streams_and_its_successor_is_found(tmp_path: Path) -> None:
    async with service(tmp_path) as (running, client, gate):
        gate.touch()
        async with client.stream("GET", HELD, headers=STREAM) as answer:
            reading = asyncio.create_task(answer.aread())
            await eventually(lambda: _is_building(client), what="the build runs")
            assert await running.server.terminate() == 0
            events = parse((await reading).decode())
        assert (events[-1].name, events[-1].data) == ("error", "the server is shutting down; try again")
        gate.unlink()
        settings = {"server_listen": running.server.grpc, "data_directory": running.data}
        async with successor("server", tmp_path, catalog=running.catalog.folder, **settings):
            await eventually(lambda: _is_ready(client), what="the bridge is ready again")
            again = await client.post(HELD)
            assert (again.status_code, again.json()["updated"]) == (200, True)


async def _is_ready(client: httpx.AsyncClient) -> bool:
    return (await client.get("/readyz")).status_code == 200
