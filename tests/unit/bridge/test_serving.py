"""Starting and stopping a real bridge."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from techdocs.v1 import builds_pb2
from techdocs_bridge.serving import serve_bridge
from techdocs_bridge.settings import BridgeSettings

from tests.support.waiting import eventually
from tests.unit.bridge.real_bridge import Server, running_bridge

METADATA = "/metadata/techdocs/default/component/x"


async def test_port_that_is_taken_is_refused_by_name(server: Server) -> None:
    async with running_bridge(server.target) as bridge:
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{bridge.port}: "):
            await serve_bridge(
                BridgeSettings(server_target=server.target),
                ("127.0.0.1", bridge.port),
                ready=lambda url: pytest.fail("it is not ready"),
                stop=asyncio.Event(),
                drain_seconds=1,
            )


async def test_host_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(OSError, match=r"cannot listen on 192\.0\.2\.1:0"):
        await serve_bridge(
            BridgeSettings(server_target="127.0.0.1:1"),
            ("192.0.2.1", 0),
            ready=lambda url: pytest.fail("it is not ready"),
            stop=asyncio.Event(),
            drain_seconds=1,
        )


async def test_signals_are_left_alone(server: Server) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    async with running_bridge(server.target):
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


async def test_bridge_starts_before_its_server(server: Server) -> None:
    await server.server.stop(None)
    async with running_bridge(server.target) as bridge, httpx.AsyncClient() as client:
        assert (await client.get(f"{bridge.url}/healthz")).status_code == 200
        assert (await client.get(f"{bridge.url}/readyz")).status_code == 503


def finishing(release: asyncio.Event, begun: asyncio.Event, server: Server) -> None:
    async def sync(request: builds_pb2.SyncSiteRequest, context: object) -> builds_pb2.SyncSiteResponse:
        begun.set()
        await release.wait()
        return builds_pb2.SyncSiteResponse(message="done")

    server.builds.sync = sync


async def test_request_in_flight_is_finished_and_the_port_is_closed_meanwhile(server: Server) -> None:
    release, begun = asyncio.Event(), asyncio.Event()
    finishing(release, begun, server)
    async with running_bridge(server.target) as bridge, httpx.AsyncClient(timeout=10) as client:
        answer = asyncio.create_task(client.post(f"{bridge.api}/sync/default/component/x"))
        await asyncio.wait_for(begun.wait(), 10)
        bridge.stop.set()

        async def closed() -> bool:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
            except OSError:
                return True
            writer.close()
            return False

        await eventually(closed, what="the port is closed")
        assert not answer.done()
        release.set()
        assert (await answer).json()["message"] == "done"
        await asyncio.wait_for(bridge.serving, 5)


async def test_request_that_does_not_end_in_time_is_told_so(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    begun = asyncio.Event()
    finishing(asyncio.Event(), begun, server)
    async with running_bridge(server.target, drain_seconds=0.5) as bridge, httpx.AsyncClient(timeout=10) as client:
        answer = asyncio.create_task(client.post(f"{bridge.api}/sync/default/component/x"))
        await asyncio.wait_for(begun.wait(), 10)
        bridge.stop.set()
        assert (await answer).json()["error"]["details"][0]["reason"] == "SERVER_DRAINING"
        await asyncio.wait_for(bridge.serving, 5)
    assert not [record for record in caplog.records if record.exc_info]


def own_tasks() -> set[asyncio.Task[object]]:
    """All tasks but those the gRPC server of the test waits for calls with."""
    return {task for task in asyncio.all_tasks() if "AioServer" not in repr(task)}


async def test_cancelled_bridge_leaves_nothing_behind(server: Server) -> None:
    begun = asyncio.Event()
    finishing(asyncio.Event(), begun, server)
    before = own_tasks()
    async with httpx.AsyncClient(timeout=10) as client:
        with pytest.raises(asyncio.CancelledError):
            async with running_bridge(server.target) as bridge:
                answer = asyncio.create_task(client.post(f"{bridge.api}/sync/default/component/x"))
                await asyncio.wait_for(begun.wait(), 10)
                bridge.serving.cancel()
                await asyncio.wait({bridge.serving}, timeout=5)
                assert bridge.serving.done()
        assert (await answer).status_code == 503
    await eventually(lambda: own_tasks() <= before, what="all tasks have ended")


async def test_idle_connections_do_not_delay_the_stop(server: Server) -> None:
    async with running_bridge(server.target, drain_seconds=20) as bridge, httpx.AsyncClient() as client:
        await client.get(bridge.api + METADATA)
        _, silent = await asyncio.open_connection("127.0.0.1", bridge.port)
        bridge.stop.set()
        await asyncio.wait_for(bridge.serving, 3)
        silent.close()


async def test_bridge_that_leaves_says_so_before_it_stops(server: Server) -> None:
    async with (
        running_bridge(server.target, drain_delay_seconds=1.5) as bridge,
        httpx.AsyncClient(base_url=bridge.url) as client,
    ):
        assert (await client.get("/readyz")).status_code == 200
        bridge.stop.set()
        unready = await eventually(lambda: denied(client), what="readiness is denied")
        assert unready is not None
        assert unready.headers["connection"] == "close"
        # Whoever was sent here before that was known is served, over new connections too.
        late = await client.get("/api/techdocs" + METADATA)
        assert (late.status_code, late.headers["connection"]) == (200, "close")
        assert (await client.get("/.backstage/health/v1/liveness")).status_code == 200
        await asyncio.wait_for(bridge.serving, 10)


async def denied(client: httpx.AsyncClient) -> httpx.Response | None:
    answer = await client.get("/.backstage/health/v1/readiness")
    return answer if answer.status_code == 503 else None


async def test_event_stream_ends_only_when_the_bridge_stops(server: Server) -> None:
    begun = asyncio.Event()

    async def silent(
        request: builds_pb2.StreamSyncRequest, context: object
    ) -> AsyncIterator[builds_pb2.StreamSyncResponse]:
        yield builds_pb2.StreamSyncResponse(heartbeat=builds_pb2.Heartbeat())
        begun.set()
        await asyncio.Event().wait()

    server.builds.stream = silent
    async with running_bridge(server.target, drain_delay_seconds=1) as bridge, httpx.AsyncClient(timeout=20) as client:
        answer = asyncio.create_task(client.get(f"{bridge.api}/sync/default/component/x"))
        await asyncio.wait_for(begun.wait(), 10)
        told = time.monotonic()
        bridge.stop.set()
        text = (await answer).text
        assert time.monotonic() - told > 0.9
        assert text.count("event: ") == 1
        assert "event: error" in text
        await asyncio.wait_for(bridge.serving, 10)


async def test_answers_do_not_wait_for_acknowledgements(server: Server) -> None:
    async with running_bridge(server.target) as bridge, httpx.AsyncClient() as client:
        started = time.monotonic()
        for _ in range(50):
            await client.get(f"{bridge.url}/healthz")
        assert time.monotonic() - started < 1.5, "a delayed acknowledgement takes 40 ms, 50 of them 2 s"


async def test_broken_off_answers_leave_no_traceback(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    server.docs.files = {"index.html": ("text/html", b"0123456789")}
    server.docs.missing_bytes = 1
    with caplog.at_level(logging.DEBUG):
        async with running_bridge(server.target) as bridge:
            await bridge.get("/api/techdocs/docs/default/component/x/")
    assert not [record for record in caplog.records if record.exc_info]
    assert [record for record in caplog.records if record.getMessage() == "response_aborted"]


@pytest.mark.parametrize("mount", ["api", "/api/", "//api", "/", "/a b", "/a;b", "/a%20b", "/ä"])
def test_mount_that_paths_cannot_begin_with_is_refused(mount: str) -> None:
    with pytest.raises(ValueError, match="mount"):
        BridgeSettings(server_target="x", mount=mount)


def test_bridge_without_a_server_is_refused() -> None:
    with pytest.raises(ValueError, match="server_target"):
        BridgeSettings(server_target="")
