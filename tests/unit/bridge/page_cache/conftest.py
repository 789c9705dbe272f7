"""A server that tells of changes, and a bridge that has heard the first of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.support.waiting import eventually
from tests.unit.bridge.page_cache.followed_server import PAGE, FollowedServer, followed_server
from tests.unit.bridge.real_bridge import running_bridge


@pytest.fixture
async def followed() -> AsyncIterator[FollowedServer]:
    async with followed_server() as server:
        yield server


@pytest.fixture
async def reader(followed: FollowedServer) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a bridge that keeps answers by now."""
    async with (
        running_bridge(followed.target, cache_bytes=10_000_000, cache_settle_seconds=0) as bridge,
        httpx.AsyncClient(base_url=bridge.api, timeout=10) as client,
    ):
        await keeps(followed, client, path="/static/docs/default/component/other/index.html")
        followed.docs.asked = 0
        yield client


async def keeps(server: FollowedServer, client: httpx.AsyncClient, path: str = PAGE) -> None:
    """Wait until a page is answered without asking the server."""

    async def is_kept() -> bool:
        await client.get(path)
        before = server.docs.asked
        await client.get(path)
        return server.docs.asked == before

    await eventually(is_kept, what="the bridge keeps answers")
