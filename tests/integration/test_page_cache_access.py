"""Who is answered from memory, through the real service with authentication on."""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import jwt
import pytest

from tests.support.cached_pages import answers_by_itself, frozen, number_of, page_url, publish, remembered
from tests.support.services import RunningService, running
from tests.support.waiting import eventually

PIPELINE, READER = "a-token-of-a-pipeline", "a-token-of-some-reader"
SECRET = base64.b64encode(secrets.token_bytes(32)).decode()
BRIDGE = secrets.token_urlsafe(32)


def short_lived(seconds: float) -> str:
    """Return a token of a program that shares a secret with the service."""
    return jwt.encode(
        {"sub": "backstage-server", "exp": int(time.time() + seconds)}, base64.b64decode(SECRET), algorithm="HS256"
    )


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def settings(folder: Path) -> dict[str, object]:
    (folder / "catalog").mkdir(exist_ok=True)
    ways = [
        {"type": "static", "token": PIPELINE, "subject": "pipeline", "permissions": ["publish"]},
        {"type": "static", "token": READER, "subject": "reader"},
        {"type": "legacy", "secret": SECRET, "subject": "old-plugins"},
    ]
    return {"authentication": "tokens", "external_access": ways, "catalog": folder / "catalog"}


@dataclass(frozen=True, slots=True)
class Deployed:
    """A server and a bridge, each a process, with a page that the bridge keeps."""

    server: RunningService
    bridge: RunningService
    client: httpx.AsyncClient
    url: str


@asynccontextmanager
async def deployed(folder: Path, *, bridge_token: str = BRIDGE) -> AsyncIterator[Deployed]:
    async with (
        running("server", folder / "server", **settings(folder), bridge_token=BRIDGE) as server,
        running(
            "bridge", folder / "bridge", bridge_server_target=server.grpc, bridge_token=bridge_token, **settings(folder)
        ) as bridge,
        httpx.AsyncClient(timeout=30) as client,
    ):
        await publish(server.grpc, "a", 1, token=PIPELINE)
        yield Deployed(server, bridge, client, page_url(bridge.rest, "a"))


async def test_page_that_is_kept_for_one_caller_is_refused_to_whom_the_server_refuses_it(tmp_path: Path) -> None:
    async with deployed(tmp_path) as service:
        await remembered(service.server, service.client, service.url, **bearer(READER))
        wrong = [{}, bearer("a-token-of-nobody-at-all"), {"authorization": f"Basic {READER}"}, bearer(BRIDGE + "x")]
        for headers in wrong:
            for _ in range(2):
                answer = await service.client.get(service.url, headers=headers)
                assert answer.status_code == 401, headers
                assert "publish" not in answer.text
        # Nor does it say while the server is silent: nobody is let in by the bridge.
        async with frozen(service.server):
            assert (await service.client.get(service.url, headers=bearer(READER))).status_code == 200
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await service.client.get(service.url)


async def test_token_that_ends_is_refused_at_once_although_its_page_is_kept(tmp_path: Path) -> None:
    async with deployed(tmp_path) as service:
        await remembered(service.server, service.client, service.url, **bearer(READER))
        token = short_lived(6)
        ends = jwt.decode(token, options={"verify_signature": False})["exp"]
        # Publishing asks nobody, so the page is there; what was decided for the reader is not for this token.
        assert await answers_by_itself(service.server, lambda: service.client.get(service.url, headers=bearer(token)))

        async def is_refused() -> bool:
            answer = await service.client.get(service.url, headers=bearer(token))
            # A second for the request itself: it may have been let in just before the end.
            assert answer.status_code == 401 or time.time() < ends + 1
            return answer.status_code == 401

        await eventually(is_refused, timeout_seconds=15, what="the token is refused")
        assert time.time() >= ends
        assert (await service.client.get(service.url, headers=bearer(READER))).status_code == 200


async def test_bridge_without_the_right_to_follow_keeps_nothing_and_says_so(tmp_path: Path) -> None:
    async with deployed(tmp_path, bridge_token="x" * 40) as service:
        await eventually(lambda: "page_cache_off" in service.bridge.logged(), what="the bridge says so")
        for _ in range(2):
            assert number_of(await service.client.get(service.url, headers=bearer(READER))) == 1
        assert not await answers_by_itself(
            service.server, lambda: service.client.get(service.url, headers=bearer(READER))
        )


async def test_one_process_for_everything_follows_without_being_told_a_token(tmp_path: Path) -> None:
    async with running("serve", tmp_path / "all", **settings(tmp_path)) as service, httpx.AsyncClient() as client:
        await publish(service.grpc, "a", 1, token=PIPELINE)
        url = page_url(service.rest, "a")
        assert number_of(await client.get(url, headers=bearer(READER))) == 1
        assert (await client.get(url)).status_code == 401
        await publish(service.grpc, "a", 2, token=PIPELINE)

        async def is_second() -> bool:
            return number_of(await client.get(url, headers=bearer(READER))) == 2

        await eventually(is_second, what="the second publish")
        assert "page_cache_off" not in service.logged()
