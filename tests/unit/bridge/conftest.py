"""A server, a bridge and a client for every test that asks for one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.unit.bridge.real_bridge import Bridge, Server, running_bridge, running_server


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with running_server() as server:
        yield server


@pytest.fixture
async def bridge(server: Server) -> AsyncIterator[Bridge]:
    async with running_bridge(server.target) as bridge:
        yield bridge


@pytest.fixture
async def client(bridge: Bridge) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=bridge.api, timeout=10) as client:
        yield client
