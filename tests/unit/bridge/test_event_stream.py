"""GET /sync through a real bridge."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import httpx
import pytest
from techdocs.v1 import builds_pb2

from tests.support.waiting import eventually
from tests.unit.bridge.real_bridge import Context, Server, StreamSync, running_bridge
from tests.unit.bridge.statuses import status

BUILD = "builds/b-1"
SYNC = "/sync/default/component/x"
EVENT_STREAM = {"accept": "text/event-stream"}


def line(sequence: int, text: str) -> builds_pb2.StreamSyncResponse:
    event = builds_pb2.BuildEvent(sequence=sequence, log=builds_pb2.LogLine(text=text))
    return builds_pb2.StreamSyncResponse(build=BUILD, event=event)


def state(sequence: int, value: builds_pb2.BuildState.ValueType) -> builds_pb2.StreamSyncResponse:
    event = builds_pb2.BuildEvent(sequence=sequence, state_change=builds_pb2.Build(name=BUILD, state=value))
    return builds_pb2.StreamSyncResponse(build=BUILD, event=event)


def result(*, updated: bool) -> builds_pb2.StreamSyncResponse:
    return builds_pb2.StreamSyncResponse(build=BUILD, result=builds_pb2.SyncResult(updated=updated))


def saying(*messages: builds_pb2.StreamSyncResponse, then: grpc.Status | None = None) -> StreamSync:
    async def stream(
        request: builds_pb2.StreamSyncRequest, context: Context
    ) -> AsyncIterator[builds_pb2.StreamSyncResponse]:
        for message in messages:
            yield message
        if then:
            await context.abort_with_status(then)

    return stream


def waiting(*messages: builds_pb2.StreamSyncResponse, cancelled: asyncio.Event | None = None) -> StreamSync:
    async def stream(
        request: builds_pb2.StreamSyncRequest, context: Context
    ) -> AsyncIterator[builds_pb2.StreamSyncResponse]:
        for message in messages:
            yield message
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if cancelled:
                cancelled.set()
            raise

    return stream


async def test_build_is_told_line_by_line_and_ends_with_finish(server: Server, client: httpx.AsyncClient) -> None:
    server.builds.stream = saying(
        state(1, builds_pb2.BUILD_STATE_QUEUED),
        line(2, "Step 1 of 3"),
        state(3, builds_pb2.BUILD_STATE_SUCCEEDED),
        result(updated=True),
    )
    answer = await client.get(SYNC)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.text == (
        "retry: 2000\n\n"
        'id: builds/b-1:1\nevent: log\ndata: "Build builds/b-1 is waiting for its turn"\n\n'
        'id: builds/b-1:2\nevent: log\ndata: "Step 1 of 3"\n\n'
        'event: finish\ndata: {"updated":true}\n\n'
    )


async def test_progress_of_pages_is_no_line_of_log(server: Server, client: httpx.AsyncClient) -> None:
    pages = builds_pb2.BuildProgress(pages_done=1, pages_total=2)
    progress = builds_pb2.BuildEvent(sequence=2, progress=pages)
    server.builds.stream = saying(
        line(1, "before"),
        builds_pb2.StreamSyncResponse(build=BUILD, event=progress),
        line(3, "after"),
        result(updated=True),
    )
    assert (await client.get(SYNC)).text == (
        "retry: 2000\n\n"
        'id: builds/b-1:1\nevent: log\ndata: "before"\n\n'
        'id: builds/b-1:3\nevent: log\ndata: "after"\n\n'
        'event: finish\ndata: {"updated":true}\n\n'
    )


async def test_site_that_is_current_is_finished_at_once(server: Server, client: httpx.AsyncClient) -> None:
    server.builds.stream = saying(result(updated=False))
    assert (await client.get(SYNC)).text == 'retry: 2000\n\nevent: finish\ndata: {"updated":false}\n\n'


async def test_client_that_comes_back_goes_on_behind_the_last_event(server: Server, client: httpx.AsyncClient) -> None:
    server.builds.stream = saying(result(updated=True))
    await client.get(SYNC, headers={"last-event-id": "builds/b-1:41"})
    await client.get(SYNC, headers={"last-event-id": "nonsense"})
    await client.get(f"{SYNC}?build=builds/b-2&after_sequence=3", headers={"last-event-id": "builds/b-1:41"})
    asked = [(request.build, request.after_sequence) for request in server.builds.stream_requests]
    assert asked == [("builds/b-1", 41), ("", 0), ("builds/b-2", 3)]


async def test_client_of_a_build_that_is_gone_is_told_of_the_site_as_it_is(
    server: Server, client: httpx.AsyncClient
) -> None:
    async def stream(
        request: builds_pb2.StreamSyncRequest, context: Context
    ) -> AsyncIterator[builds_pb2.StreamSyncResponse]:
        if request.build:
            await context.abort_with_status(status(grpc.StatusCode.NOT_FOUND, "no build", "BUILD_NOT_FOUND"))
        yield result(updated=False)

    server.builds.stream = stream
    answer = await client.get(SYNC, headers={"last-event-id": "builds/gone:1", **EVENT_STREAM})
    assert answer.text.endswith('event: finish\ndata: {"updated":false}\n\n')


async def test_failed_build_ends_the_stream_with_its_reason(server: Server, client: httpx.AsyncClient) -> None:
    failed = status(grpc.StatusCode.ABORTED, "building failed", "BUILD_FAILED", build=BUILD)
    server.builds.stream = saying(line(1, "oops"), then=failed)
    answer = await client.get(SYNC)
    assert answer.status_code == 200
    assert answer.text.endswith('data: "oops"\n\nevent: error\ndata: "building failed"\n\n')
    server.builds.stream = saying(then=failed)
    answer = await client.get(SYNC)
    assert (answer.status_code, answer.text.count("event: ")) == (200, 1)


async def test_sync_that_never_began_is_an_event_stream_with_its_status_for_who_asked_for_one(
    server: Server, client: httpx.AsyncClient
) -> None:
    server.builds.stream = saying(then=status(grpc.StatusCode.NOT_FOUND, "no entity", "ENTITY_NOT_FOUND"))
    answer = await client.get(SYNC, headers=EVENT_STREAM)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/event-stream")
    assert answer.text == 'event: error\ndata: "Entity metadata UID missing"\n\n'


async def test_sync_that_never_began_is_json_for_everybody_else(server: Server, client: httpx.AsyncClient) -> None:
    server.builds.stream = saying(then=status(grpc.StatusCode.NOT_FOUND, "no entity", "ENTITY_NOT_FOUND"))
    answer = await client.get(SYNC)
    assert (answer.status_code, answer.json()["error"]["message"]) == (404, "Entity metadata UID missing")
    assert answer.headers["content-type"] == "application/json"


async def test_retry_after_comes_with_a_refused_stream(server: Server, client: httpx.AsyncClient) -> None:
    server.builds.stream = saying(
        then=status(grpc.StatusCode.RESOURCE_EXHAUSTED, "full", "BUILD_QUEUE_FULL", retry_seconds=10)
    )
    answer = await client.get(SYNC, headers=EVENT_STREAM)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "10")


@pytest.mark.parametrize("end", [None, "crash"])
async def test_stream_that_breaks_has_one_end(server: Server, client: httpx.AsyncClient, end: str | None) -> None:
    server.builds.stream = saying(line(1, "a"), then=status(grpc.StatusCode.UNKNOWN, "secret") if end else None)
    answer = await client.get(SYNC)
    assert answer.text.count("event: error") == 1
    assert answer.text.rstrip().splitlines()[-1].startswith('data: "something went wrong')
    assert "secret" not in answer.text


async def test_server_that_goes_away_ends_the_stream_with_an_error(server: Server, client: httpx.AsyncClient) -> None:
    server.builds.stream = waiting(line(1, "a"))
    async with client.stream("GET", SYNC) as answer:
        lines = answer.aiter_lines()
        assert await anext(lines) == "retry: 2000"
        await server.server.stop(None)
        rest = [text async for text in lines]
    assert [text for text in rest if text.startswith("event: ")] == ["event: log", "event: error"]


async def test_client_that_leaves_cancels_its_stream(server: Server, client: httpx.AsyncClient) -> None:
    cancelled = asyncio.Event()
    server.builds.stream = waiting(line(1, "a"), cancelled=cancelled)
    async with client.stream("GET", SYNC) as answer:
        await anext(answer.aiter_lines())
    await eventually(cancelled.is_set, what="the call was cancelled")


async def test_silence_is_filled_with_heartbeats_from_the_start(server: Server) -> None:
    server.builds.stream = waiting()
    async with running_bridge(server.target, heartbeat_seconds=0.05) as bridge, httpx.AsyncClient(timeout=10) as client:
        async with client.stream("GET", bridge.api + SYNC) as answer:
            assert answer.status_code == 200
            chunks = answer.aiter_text()
            text = ""
            while text.count(": \n\n") < 3:
                text += await anext(chunks)
        assert text.startswith("retry: 2000\n\n: \n\n")


async def test_event_streams_have_a_limit_of_their_own(server: Server) -> None:
    server.builds.stream = waiting(line(1, "a"))
    async with (
        running_bridge(server.target, max_concurrent_streams=1) as bridge,
        httpx.AsyncClient() as client,
        client.stream("GET", bridge.api + SYNC) as answer,
    ):
        await anext(answer.aiter_lines())
        refused = await client.get(bridge.api + SYNC)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert (await client.get(f"{bridge.api}/metadata/techdocs/default/component/x")).status_code == 200


async def test_head_starts_nothing(server: Server, client: httpx.AsyncClient) -> None:
    answer = await client.head(SYNC)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
    assert not server.builds.stream_requests


async def test_bridge_that_stops_ends_its_streams_with_a_word(server: Server) -> None:
    server.builds.stream = waiting(line(1, "a"))
    async with running_bridge(server.target) as bridge, httpx.AsyncClient(timeout=10) as client:
        async with client.stream("GET", bridge.api + SYNC) as answer:
            lines = answer.aiter_lines()
            await anext(lines)
            bridge.stop.set()
            rest = [text async for text in lines]
        assert rest[-3:] == ["event: error", 'data: "the server is shutting down; try again"', ""]
        await asyncio.wait_for(bridge.serving, 3)
