"""Answers that are one document: the JSON of unary methods, and documents of the bridge's own."""

from __future__ import annotations

import hashlib

from starlette.types import Send

from techdocs_bridge.bound_call import BoundCall
from techdocs_bridge.client import ServerClient
from techdocs_bridge.conditional import none_match_fails
from techdocs_bridge.exchange import Exchange
from techdocs_bridge.transcoding.http_rules import Route
from techdocs_bridge.transcoding.rendering import render


async def answer_unary(client: ServerClient, route: Route, call: BoundCall, send: Send) -> None:
    """Answer with the message of a method. Answers to GET can be asked for conditionally.

    Raises:
        HTTPProblem: the call failed.
    """
    rendered = render(route, await client.call(call.method, call.request, call.context))
    if call.exchange.method in ("GET", "HEAD"):
        await send_document(call.exchange, rendered.content_type, rendered.body, send)
    else:
        await send_body(200, rendered.content_type, rendered.body, send, cache_control="no-store")


async def send_document(exchange: Exchange, content_type: str, body: bytes, send: Send) -> None:
    """Send a body with a strong entity tag made from its bytes, or 304 to a client that has them."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'  # 128 bits: no two answers meet by accident
    if none_match_fails(exchange.headers.get("if-none-match"), etag):
        headers = [(b"etag", etag.encode()), (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return
    await send_body(200, content_type, body, send, cache_control="no-cache", etag=etag)


async def send_body(
    status: int, content_type: str, body: bytes, send: Send, *, cache_control: str, etag: str = ""
) -> None:
    """Send a whole body."""
    headers = [
        (b"content-type", content_type.encode("latin-1")),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", cache_control.encode()),
    ]
    if etag:
        headers.append((b"etag", etag.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
