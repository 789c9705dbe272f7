"""The few paths that are the bridge's own: the OpenAPI document, the probes, and Backstage's cookie."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from starlette.types import Send

from techdocs_bridge.client import ServerClient
from techdocs_bridge.cookie_paths import CookiePaths
from techdocs_bridge.exchange import Exchange
from techdocs_bridge.json_answers import send_body, send_document
from techdocs_bridge.probes import Readiness
from techdocs_bridge.settings import BridgeSettings
from techdocs_bridge.transcoding.openapi import document
from techdocs_bridge.transcoding.routes import RouteTable

Answer: TypeAlias = Callable[[Exchange, Send], Awaitable[None]]
OwnPath: TypeAlias = Mapping[str, Answer]
"""What answers each method; GET answers HEAD as well."""

_JSON = "application/json"


class OwnPaths:
    """Finds what answers at a path. Below the mount its letters may be in any case, and it may end in a slash."""

    def __init__(self, settings: BridgeSettings, table: RouteTable, client: ServerClient, readiness: Readiness) -> None:
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

        cookies = CookiePaths(settings, client)
        self._at_root: Mapping[bytes, OwnPath] = {
            b"/healthz": {"GET": show_alive},
            b"/readyz": {"GET": show_ready},
            # Where Backstage's backends have theirs (rootHealth of backend-defaults): at the root, not below the mount.
            b"/.backstage/health/v1/liveness": {"GET": show_alive},
            b"/.backstage/health/v1/readiness": {"GET": show_ready},
            b"/openapi.json": {"GET": show_openapi},
        }
        self._mounted: Mapping[bytes, OwnPath] = {
            b"/openapi.json": {"GET": show_openapi},
            b"/.backstage/auth/v1/cookie": {"GET": cookies.show, "DELETE": cookies.clear},
        }

    def find(self, exchange: Exchange) -> OwnPath | None:
        """Return the path a request is for, or None when it is none of these."""
        if exchange.is_mounted:
            found = self._mounted.get(exchange.api_path.lower().removesuffix(b"/"))
            if found is not None:
                return found
        return self._at_root.get(exchange.path)
