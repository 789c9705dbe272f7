"""The bridge as an ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from techdocs_bridge.client import ServerClient
from techdocs_bridge.cross_origin import CrossOriginMiddleware
from techdocs_bridge.dispatcher import Dispatcher
from techdocs_bridge.middleware import BodyLimitMiddleware, ProblemMiddleware, RequestMiddleware
from techdocs_bridge.own_paths import OwnPaths
from techdocs_bridge.probes import Readiness
from techdocs_bridge.settings import BridgeSettings
from techdocs_bridge.transcoding.routes import RouteTable, services


def create_app(
    settings: BridgeSettings, *, leaving: asyncio.Event | None = None, draining: asyncio.Event | None = None
) -> Starlette:
    """Return the application. Its lifespan opens and closes the channel to the server.

    Setting ``leaving`` tells it that it is to be stopped soon: readiness is denied, and every answer ends its
    connection. Setting ``draining`` tells it that it is being stopped: event streams end with an error that says so.

    Raises:
        RouteInvalid: the contract has a route that cannot be served; the bridge must not start.
    """
    stopping = draining or asyncio.Event()
    unready = leaving or stopping
    table = RouteTable.from_services(services())
    every_path = _EveryPath()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with ServerClient(settings) as client:
            paths = OwnPaths(settings, table, client, Readiness(client, unready))
            every_path.dispatcher = Dispatcher(settings, table, client, paths, stopping)
            yield

    return Starlette(
        routes=[every_path],
        lifespan=lifespan,
        middleware=[
            Middleware(RequestMiddleware, settings=settings, is_leaving=unready.is_set),
            *_cross_origin(settings),
            Middleware(ProblemMiddleware, is_draining=stopping.is_set),
            Middleware(BodyLimitMiddleware, limit_bytes=settings.max_body_bytes),
        ],
    )


def _cross_origin(settings: BridgeSettings) -> list[Middleware]:
    """Where no origin is let in, answers do not depend on one and need not say so."""
    return [Middleware(CrossOriginMiddleware, origins=settings.cors_origins)] if settings.cors_origins else []


class _EveryPath(BaseRoute):
    """Hands every HTTP request to the dispatcher, which decides on the raw path; Starlette would on a decoded one."""

    dispatcher: Dispatcher

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match all of HTTP."""
        return (Match.FULL if scope["type"] == "http" else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self.dispatcher(scope, receive, send)
