"""Answers of streaming methods without a form of their own: one JSON object a line."""

from __future__ import annotations

import asyncio

from google.protobuf.message import Message
from starlette.types import Send

from techdocs_bridge.bound_call import BoundCall
from techdocs_bridge.client import ServerClient, ServerStream
from techdocs_bridge.exchange import Exchange
from techdocs_bridge.refusals import draining
from techdocs_bridge.transcoding.http_rules import Route
from techdocs_bridge.transcoding.rendering import render_line

_HEADERS = [
    (b"content-type", b"application/x-ndjson"),
    (b"cache-control", b"no-store"),
    # nginx gathers answers by default; lines must not wait for each other.
    (b"x-accel-buffering", b"no"),
]


class LineStreams:
    """Answers with the messages of a stream as they come."""

    def __init__(self, client: ServerClient, draining: asyncio.Event) -> None:
        self._client = client
        self._draining = draining

    async def answer(self, route: Route, call: BoundCall, send: Send) -> None:
        """Answer one request.

        Raises:
            HTTPProblem: the call failed, or the bridge is shutting down. When lines were sent before, the answer is
                broken off, so that nobody takes it for whole.
        """
        with self._client.stream(call.method, call.request, call.context) as stream:
            message = await self._next(stream)
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            while message is not None and not _is_head(call.exchange):
                await send({"type": "http.response.body", "body": render_line(route, message), "more_body": True})
                message = await self._next(stream)
        await send({"type": "http.response.body", "body": b""})

    async def _next(self, stream: ServerStream) -> Message | None:
        reading = asyncio.ensure_future(stream.read())
        stopping = asyncio.ensure_future(self._draining.wait())
        try:
            await asyncio.wait({reading, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                raise draining()
            return reading.result()
        finally:
            reading.cancel()
            stopping.cancel()
            await asyncio.gather(reading, stopping, return_exceptions=True)


def _is_head(exchange: Exchange) -> bool:
    return exchange.method == "HEAD"
