"""SIGTERM: what is being answered is answered, what waits is told, and nothing stays behind."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import pytest
from techdocs.v1 import builds_pb2, docs_pb2

from tests.integration.build_control import Site, building, restarted
from tests.support.processes import is_running
from tests.support.rpc_client import component, problem, problem_at_end
from tests.support.waiting import eventually

# More than the buffers on the way of a download, so that it is not done before it is read.
BIG_BYTES = 24 * 1024 * 1024
# Near the most that one message holds.
PAGE_BYTES = 2_000_000
PARALLEL_CALLS = 32


@dataclass
class Held:
    """A service with one build held inside MkDocs and one behind it."""

    site: Site
    big: bytes
    page: bytes
    running: str
    queued: str
    child: int


@pytest.fixture
async def held(tmp_path: Path) -> AsyncIterator[Held]:
    async with building(tmp_path, role="serve", build_concurrency=1, server_drain_seconds=20) as site:
        site.add("demo", "next")
        big, page = os.urandom(BIG_BYTES), os.urandom(PAGE_BYTES)
        docs = site.catalog.folder / "demo" / "docs"
        (docs / "big.bin").write_bytes(big)
        (docs / "page.bin").write_bytes(page)
        await site.sync("demo")
        site.edit("demo", 1)
        site.hold()
        running, queued = await site.create("demo"), await site.create("next")
        yield Held(site, big, page, running, queued, await site.held_child())


async def test_what_is_being_sent_is_sent_to_its_end(held: Held) -> None:
    site = held.site
    request = docs_pb2.ReadContentRequest(entity=component("demo"), path="big.bin")
    download = aiter(site.client.docs.ReadContent(request))
    content = [(await anext(download)).body.data]
    async with (
        httpx.AsyncClient(base_url=site.service.rest, timeout=60) as rest,
        rest.stream("GET", "/docs/default/component/demo/big.bin") as answer,
    ):
        chunks = answer.aiter_bytes()
        bridged = [await anext(chunks)]
        stopping = site.stopping()
        await eventually(lambda: refuses(rest), what="the bridge takes no more connections")
        bridged += [chunk async for chunk in chunks]
        content += [message.body.data async for message in download]
    assert await stopping == 0
    assert b"".join(bridged) == held.big
    assert b"".join(content) == held.big


async def refuses(client: httpx.AsyncClient) -> bool:
    """Whether a new connection is refused, or told that the service goes away."""
    async with httpx.AsyncClient(base_url=client.base_url) as other:
        try:
            return (await other.get("/readyz")).status_code == 503
        except httpx.TransportError:
            return True


async def test_a_short_call_is_answered_whole_or_told_to_come_back(held: Held) -> None:
    site = held.site
    request = docs_pb2.GetContentRequest(entity=component("demo"), path="page.bin")

    async def outcome() -> str:
        try:
            answer = await site.client.docs.GetContent(request)
        except grpc.aio.AioRpcError as error:
            return error.code().name
        return "whole" if answer.body.data == held.page else "cut"

    outcomes = [asyncio.create_task(outcome()) for _ in range(PARALLEL_CALLS)]
    # Some of the calls are being answered when this one was, and some are still on their way.
    await site.build(held.running)
    stopping = site.stopping()
    seen = set(await asyncio.gather(*outcomes))
    assert await stopping == 0
    assert "whole" in seen
    assert seen <= {"whole", "UNAVAILABLE"}


async def test_who_waits_for_a_build_is_told_that_the_server_goes(held: Held) -> None:
    site = held.site
    watch = aiter(site.client.builds.WatchBuild(builds_pb2.WatchBuildRequest(name=held.running)))
    await anext(watch)
    stream = aiter(site.client.builds.StreamSync(builds_pb2.StreamSyncRequest(entity=component("demo"))))
    await anext(stream)
    sync = asyncio.ensure_future(site.sync("demo"))
    await site.build(held.running)
    async with (
        httpx.AsyncClient(base_url=site.service.rest, timeout=60) as rest,
        rest.stream("GET", "/sync/default/component/demo", headers={"accept": "text/event-stream"}) as events,
        rest.stream("GET", f"/v1/{held.running}:watch") as lines,
    ):
        event_text, line_text = events.aiter_text(), lines.aiter_lines()
        seen = await anext(event_text)
        first_line = json.loads(await anext(line_text))
        stopping = site.stopping()
        seen += "".join([text async for text in event_text])
        with pytest.raises(httpx.RemoteProtocolError):
            [line async for line in line_text]
    endings = [(await problem_at_end(watch))[1], (await problem_at_end(stream))[1], await problem(sync)]
    assert await stopping == 0
    assert [ending.reason for ending in endings] == ["SERVER_DRAINING"] * 3
    assert [ending.retry_seconds for ending in endings] == [1.0] * 3
    last = seen.rstrip("\n").rpartition("\n\n")[2]
    assert "event: error" in last
    assert "shutting down" in last
    assert first_line["event"]["sequence"] == "1"


async def test_a_stopped_service_leaves_no_process_and_takes_up_its_queue_again(held: Held) -> None:
    site = held.site
    assert await site.service.terminate() == 0
    assert not is_running(held.child)
    assert site.leftovers() == []
    said = site.service.logged()
    assert "Traceback" not in said
    assert "never retrieved" not in said
    site.release()
    async with restarted(site) as again:
        interrupted = await again.build(held.running)
        assert interrupted.state == builds_pb2.BUILD_STATE_FAILED
        assert "the server stopped while this build was running" in interrupted.error.message
        assert (await again.events(held.running))[-1].state_change == interrupted
        assert (await again.ended(held.queued)).state == builds_pb2.BUILD_STATE_SUCCEEDED
        assert "generation-0" in await again.page("demo")


async def test_an_idle_service_stops_at_once(tmp_path: Path) -> None:
    async with building(tmp_path, role="serve", server_drain_seconds=30) as site:
        async with asyncio.timeout(5):
            assert await site.service.terminate() == 0
