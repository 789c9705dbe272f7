"""The few paths that are the bridge's own: the OpenAPI document and the probes."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping

from starlette.types import Send

from techdocs_bridge.exchange import Exchange
from techdocs_bridge.json_answers import send_body, send_document
from techdocs_bridge.probes import Readiness
from techdocs_bridge.settings import BridgeSettings
from techdocs_bridge.transcoding.openapi import document
from techdocs_bridge.transcoding.routes import RouteTable

OwnPath = Callable[[Exchange, Send], Awaitable[None]]

_JSON = "application/json"


def own_paths(settings: BridgeSettings, table: RouteTable, readiness: Readiness) -> Mapping[bytes, OwnPath]:
    """Return what answers GET and HEAD at each of the paths."""
    openapi = json.dumps(
        document(table, server_url=settings.mount or "/", version=settings.version), ensure_ascii=False
    ).encode()

    async def show_openapi(exchange: Exchange, send: Send) -> None:
        await send_document(exchange, _JSON, openapi, send)

    async def show_alive(exchange: Exchange, send: Send) -> None:
        await send_body(200, _JSON, b'{"status":"ok"}', send, cache_control="no-store")

    async def show_ready(exchange: Exchange, send: Send) -> None:
        if await readiness.ready():
            await send_body(200, _JSON, b'{"status":"ok"}', send, cache_control="no-store")
        else:
            await send_body(503, _JSON, b'{"status":"unavailable"}', send, cache_control="no-store")

    return {
        b"/healthz": show_alive,
        b"/readyz": show_ready,
        # Where Backstage's backends have theirs (rootHealth of backend-defaults): at the root, not under the mount.
        b"/.backstage/health/v1/liveness": show_alive,
        b"/.backstage/health/v1/readiness": show_ready,
        b"/openapi.json": show_openapi,
        settings.mount.encode() + b"/openapi.json": show_openapi,
    }
