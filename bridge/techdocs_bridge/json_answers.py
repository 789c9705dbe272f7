"""Answers that are one document: the JSON of unary methods, and documents of the bridge's own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from starlette.types import Send

from techdocs_bridge.bound_call import BoundCall
from techdocs_bridge.client import ServerClient
from techdocs_bridge.conditional import none_match_fails
from techdocs_bridge.exchange import Exchange
from techdocs_bridge.gzip_answers import gzipped, is_worth_it, takes_gzip
from techdocs_bridge.transcoding.http_rules import Route
from techdocs_bridge.transcoding.rendering import render


async def answer_unary(
    client: ServerClient,
    route: Route,
    call: BoundCall,
    send: Send,
    *,
    headers: Iterable[tuple[bytes, bytes]] = (),
) -> None:
    """Answer with the message of a method. Answers to GET can be asked for conditionally, and have ``headers``.

    Raises:
        HTTPProblem: the call failed.
    """
    rendered = render(route, await client.call(call.method, call.request, call.context))
    if call.exchange.method in ("GET", "HEAD"):
        await send_document(call.exchange, rendered.content_type, rendered.body, send, headers=headers)
    else:
        await send_body(200, rendered.content_type, rendered.body, send, cache_control="no-store")


async def send_document(
    exchange: Exchange, content_type: str, body: bytes, send: Send, *, headers: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    """Send a body with a strong entity tag made from its bytes, or 304 to a client that has them."""
    tag = hashlib.sha256(body).hexdigest()[:32]  # 128 bits: no two answers meet by accident
    headers = list(headers)
    encoded = False
    if is_worth_it(body):
        headers.append((b"vary", b"accept-encoding"))
        encoded = takes_gzip(", ".join(exchange.headers.getlist("accept-encoding")))
    etag = f'"{tag}-gzip"' if encoded else f'"{tag}"'
    if none_match_fails(", ".join(exchange.headers.getlist("if-none-match")) or None, etag):
        headers += [(b"etag", etag.encode()), (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return
    if encoded:
        body = await gzipped(body)
        headers.append((b"content-encoding", b"gzip"))
    headers.append((b"etag", etag.encode()))
    await send_body(200, content_type, body, send, cache_control="no-cache", headers=headers)


async def send_body(
    status: int,
    content_type: str,
    body: bytes,
    send: Send,
    *,
    cache_control: str,
    headers: Iterable[tuple[bytes, bytes]] = (),
) -> None:
    """Send a whole body."""
    raw = [
        (b"content-type", content_type.encode("latin-1")),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", cache_control.encode()),
        *headers,
    ]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
