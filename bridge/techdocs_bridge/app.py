"""The bridge as an ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from techdocs_bridge.client import ServerClient
from techdocs_bridge.dispatcher import Dispatcher
from techdocs_bridge.middleware import BodyLimitMiddleware, ProblemMiddleware, RequestMiddleware
from techdocs_bridge.own_paths import own_paths
from techdocs_bridge.page_cache.follower import SiteFollower
from techdocs_bridge.page_cache.site_memory import SiteMemory
from techdocs_bridge.probes import Readiness
from techdocs_bridge.replay import ReplayMiddleware
from techdocs_bridge.settings import BridgeSettings
from techdocs_bridge.transcoding.routes import RouteTable, services


def create_app(settings: BridgeSettings, *, draining: asyncio.Event | None = None) -> ASGIApp:
    """Return the application. Its lifespan opens and closes the channel to the server.

    Setting ``draining`` tells it that it is about to be stopped: event streams end with an error that says so, and
    readiness is denied.

    Raises:
        RouteInvalid: the contract has a route that cannot be served; the bridge must not start.
    """
    stopping = draining or asyncio.Event()
    table = RouteTable.from_services(services())
    every_path = _EveryPath()

    memory = SiteMemory.of(settings) if settings.cache_bytes else None

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with (
            ServerClient(settings, memory.observer if memory else None) as client,
            _following(client, memory, settings),
        ):
            paths = own_paths(settings, table, Readiness(client, stopping))
            every_path.dispatcher = Dispatcher(settings, table, client, paths, stopping)
            yield

    app = Starlette(
        routes=[every_path],
        lifespan=lifespan,
        middleware=[
            Middleware(RequestMiddleware, settings=settings),
            Middleware(ProblemMiddleware, is_draining=stopping.is_set),
            Middleware(BodyLimitMiddleware, limit_bytes=settings.max_body_bytes),
        ],
    )
    return ReplayMiddleware(app, memory.currency, memory.decisions, mount=settings.mount) if memory else app


@asynccontextmanager
async def _following(client: ServerClient, memory: SiteMemory | None, settings: BridgeSettings) -> AsyncIterator[None]:
    """Follow what changes sites, as long as the context lasts."""
    if memory is None:
        yield
        return
    authorization = f"Bearer {settings.token}" if settings.token else ""
    following = asyncio.create_task(SiteFollower(client, memory.currency, authorization).run())
    try:
        yield
    finally:
        following.cancel()
        await asyncio.wait({following})


class _EveryPath(BaseRoute):
    """Hands every HTTP request to the dispatcher, which decides on the raw path; Starlette would on a decoded one."""

    dispatcher: Dispatcher

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match all of HTTP."""
        return (Match.FULL if scope["type"] == "http" else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self.dispatcher(scope, receive, send)
