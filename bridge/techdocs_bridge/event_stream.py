"""``GET /sync``: the events of StreamSync as server-sent events.

A stream that began ends with exactly one ``finish`` or ``error``, whatever happens to the server or to this bridge:
Backstage's client waits for one without end. It also hangs up when its tab is hidden and asks again when it is shown,
with the id of the last event it saw; the ids carry all the server needs to go on from there.

How a build ended is always told inside the stream. A sync that never came to a build has the HTTP status of its
error, as an event stream where the client asked for one by name, since its library shows no other body.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from google.protobuf.message import Message
from starlette.types import Send
from techdocs.v1 import builds_pb2

from techdocs_bridge.bound_call import BoundCall
from techdocs_bridge.client import ServerClient, ServerStream
from techdocs_bridge.error_body import log_problem, shown_message
from techdocs_bridge.exchange import Exchange, ResponseAborted
from techdocs_bridge.refusals import defect, draining
from techdocs_bridge.server_sent_events import (
    HEARTBEAT,
    MEDIA_TYPE,
    RETRY,
    EventId,
    error_frame,
    finish_frame,
    log_frame,
)
from techdocs_bridge.status import HTTPProblem

_log = logging.getLogger("techdocs.bridge")

# Told inside the stream, as Backstage's backend tells all it finds out after it has found the entity.
_OUTCOMES = frozenset({"BUILD_FAILED", "BUILD_CANCELLED", "REVISION_CONFLICT", "NO_DOCS_SOURCE"})

_PHASES: dict[int, str] = {
    builds_pb2.BUILD_STATE_QUEUED: "is waiting for its turn",
    builds_pb2.BUILD_STATE_PREPARING: "is reading its source",
    builds_pb2.BUILD_STATE_GENERATING: "is generating pages",
    builds_pb2.BUILD_STATE_PUBLISHING: "is publishing",
}
"""States that are told as lines of log. The final ones are what ``finish`` and ``error`` are for."""

_CHECK_SECONDS = 60
"""How long Backstage's backend takes a site for current after it has looked (BuildMetadataStorage, shouldCheckForUpdate):
its reader asks with every page that is opened. A query with ``maxCheckAge`` says otherwise."""

_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-type", MEDIA_TYPE.encode()),
    (b"cache-control", b"no-cache"),
    # nginx gathers answers by default; events must not wait for each other.
    (b"x-accel-buffering", b"no"),
)


class EventStreams:
    """Answers requests to sync as event streams."""

    def __init__(self, client: ServerClient, draining: asyncio.Event, *, heartbeat_seconds: float) -> None:
        self._client = client
        self._draining = draining
        self._heartbeat_seconds = heartbeat_seconds

    async def answer(self, call: BoundCall, send: Send) -> None:
        """Answer one GET or HEAD. HEAD is answered without asking the server, since asking would start a build.

        Raises:
            HTTPProblem: the sync never came to a build, and the client did not ask for an event stream by name.
        """
        if call.exchange.method == "HEAD":
            await _begin(send, 200)
            await send({"type": "http.response.body", "body": b""})
            return
        request = builds_pb2.StreamSyncRequest()
        request.MergeFrom(_stream_sync(call.request))
        if call.exchange.is_mounted and not request.HasField("max_check_age") and not request.force:
            request.max_check_age.seconds = _CHECK_SECONDS
        try:
            await self._relay(call, request, send, resumed=_resume(request, call.exchange))
        except _BuildForgotten:
            request.ClearField("build")
            request.ClearField("after_sequence")
            await self._relay(call, request, send, resumed=False)

    async def _relay(
        self, call: BoundCall, request: builds_pb2.StreamSyncRequest, send: Send, *, resumed: bool
    ) -> None:
        exchange = call.exchange
        try:
            with self._client.stream(call.method, request, call.context) as stream:
                last = await self._send_until_last(exchange, stream, send)
        except HTTPProblem as problem:
            if resumed and problem.reason == "BUILD_NOT_FOUND" and not exchange.status:
                raise _BuildForgotten from None
            last = await _told(exchange, call.words(problem), send)
        except ResponseAborted:
            raise
        except Exception:
            # A defect of ours is no reason to leave the client without an end.
            _log.exception("request_failed", extra={"request_id": exchange.request_id})
            last = await _told(exchange, defect(""), send)
        await send({"type": "http.response.body", "body": last})

    async def _send_until_last(self, exchange: Exchange, stream: ServerStream, send: Send) -> bytes:
        """Send frames as messages come and return the last one, for the caller to end with."""
        async with aclosing(self._messages(stream)) as messages:
            async for message in messages:
                if not exchange.status:
                    await _begin(send, 200, RETRY)
                if message is not None and message.HasField("result"):
                    await stream.settle()
                    return finish_frame(updated=message.result.updated)
                frame = HEARTBEAT if message is None or message.HasField("heartbeat") else _log_frame(message)
                if frame:
                    await send({"type": "http.response.body", "body": frame, "more_body": True})
        raise defect("StreamSync ended without a result")

    async def _messages(self, stream: ServerStream) -> AsyncGenerator[builds_pb2.StreamSyncResponse | None, None]:
        """Yield messages as they come, and None for every pause that needs a heartbeat."""
        stopping = asyncio.ensure_future(self._draining.wait())
        reading = asyncio.ensure_future(stream.read())
        try:
            while True:
                pause = self._heartbeat_seconds
                await asyncio.wait({reading, stopping}, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
                if not reading.done():
                    if stopping.done():
                        raise draining()
                    yield None
                    continue
                message = reading.result()
                if not isinstance(message, builds_pb2.StreamSyncResponse):
                    return
                yield message
                reading = asyncio.ensure_future(stream.read())
        finally:
            stopping.cancel()
            reading.cancel()
            await asyncio.gather(stopping, reading, return_exceptions=True)


class _BuildForgotten(Exception):
    """The build the client saw last is gone: it is told about the site as it stands now."""


def _stream_sync(request: Message) -> builds_pb2.StreamSyncRequest:
    if not isinstance(request, builds_pb2.StreamSyncRequest):
        raise defect("only StreamSync has the form of an event stream")
    return request


def _resume(request: builds_pb2.StreamSyncRequest, exchange: Exchange) -> bool:
    """Go on behind the last event the client saw, unless the query says itself where to go on; say whether it does."""
    seen = EventId.parse(exchange.headers.get("last-event-id"))
    if seen is None or request.build:
        return False
    request.build, request.after_sequence = seen.build, seen.sequence
    return True


def _log_frame(message: builds_pb2.StreamSyncResponse) -> bytes:
    """Return the frame of an event, empty when it says nothing to a reader."""
    event_id = EventId(message.build, message.event.sequence)
    if message.event.HasField("log"):
        return log_frame(message.event.log.text, event_id)
    phase = _PHASES.get(message.event.state_change.state)
    return log_frame(f"Build {message.build} {phase}", event_id) if phase else b""


async def _told(exchange: Exchange, problem: HTTPProblem, send: Send) -> bytes:
    """Return the last frame of a sync that failed, after what must be sent before it."""
    if not exchange.status:
        if problem.reason in _OUTCOMES:
            await _begin(send, 200, RETRY)
        elif exchange.accepts_explicitly(MEDIA_TYPE):
            await _begin(send, problem.status, headers=problem.headers)
        else:
            raise problem
    log_problem(problem, exchange)
    return error_frame(shown_message(problem, exchange))


async def _begin(send: Send, status: int, body: bytes = b"", *, headers: tuple[tuple[str, str], ...] = ()) -> None:
    raw = [*_HEADERS, *((name.encode(), value.encode("latin-1")) for name, value in headers)]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    if body:
        await send({"type": "http.response.body", "body": body, "more_body": True})
