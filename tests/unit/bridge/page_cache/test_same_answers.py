"""One table of requests to two bridges before one server: what is answered from memory cannot be told from what is not."""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.waiting import eventually
from tests.unit.bridge.page_cache.followed_server import FollowedServer, followed_server
from tests.unit.bridge.real_bridge import MOUNT, Bridge, etag_of, running_bridge

SITE = "default/component/a"
TARGETS = (
    f"{MOUNT}/static/docs/{SITE}/index.html",
    f"{MOUNT}/static/docs/{SITE}/",
    f"{MOUNT}/static/docs/{SITE}/logo.svg",
    f"{MOUNT}/static/docs/{SITE}/style.css?v=2",
    f"{MOUNT}/static/docs/{SITE}/none.html",
    f"{MOUNT}/static/docs/{SITE}/%2e%2e/secret",
    f"/static/docs/{SITE}/index.html",
    f"/docs/{SITE}/",
    f"/docs/{SITE}/deep",
    f"/docs/{SITE}/style.css",
    f"/docs/{SITE}/none/",
    f"{MOUNT}/docs/{SITE}/search/search_index.json",
    f"{MOUNT}/metadata/techdocs/{SITE}",
    f"/metadata/techdocs/{SITE}",
    f"{MOUNT}/Static/Docs/{SITE}/index.html",
    f"{MOUNT}/static/docs/default/Component/a/index.html",
    f"{MOUNT}/static/docs/{SITE}/index.html?revision={'0' * 64}",
)
PAGE = b"index.html: old"
HEADERS: tuple[Mapping[str, str], ...] = (
    {},
    {"accept": "application/json"},
    {"accept": "text/html,*/*;q=0.8", "sec-fetch-mode": "navigate"},
    {"accept-encoding": "gzip, br"},
    {"accept-encoding": "gzip;q=0"},
    {"authorization": "Bearer alice"},
    {"cookie": "backstage-auth=alice"},
    {"if-none-match": etag_of(PAGE)},
    {"if-none-match": f'W/{etag_of(PAGE)}, "other"'},
    {"if-none-match": "*"},
    {"if-none-match": '"other"', "if-modified-since": "Tue, 24 Nov 2026 00:00:00 GMT"},
    {"if-modified-since": "Tue, 24 Nov 2099 00:00:00 GMT"},
    {"if-match": '"other"'},
    {"range": "bytes=0-3"},
    {"range": "bytes=0-3,5-6"},
    {"range": "bytes=999-"},
    {"range": "bytes=0-3", "if-range": etag_of(PAGE)},
    {"origin": "https://app.example.com"},
    {"origin": "https://evil.example.com"},
    {"host": "other.test"},
    {"x-forwarded-host": "backstage.example.com", "x-forwarded-proto": "https"},
    {"content-length": "0"},
    {"x-request-id": "0123456789abcdef"},
)
_TURNS = 2
_BOUNDARY = re.compile(rb"boundary=([0-9a-f]+)")


@dataclass(frozen=True)
class Answer:
    """What a client sees, without what differs between any two answers."""

    status_line: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    @classmethod
    def of(cls, raw: bytes, *, own_id: bool) -> Answer:
        if found := _BOUNDARY.search(raw):
            raw = raw.replace(found[1], b"a boundary")
        head, _, body = raw.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        pairs = []
        for line in lines[1:]:
            name, _, value = line.partition(b": ")
            if name == b"date":
                continue
            pairs.append((name, b"an id" if name == b"x-request-id" and not own_id else value))
        return cls(lines[0], tuple(sorted(pairs)), _without_id(body))


def _without_id(body: bytes) -> bytes:
    """Leave out the request's id, which errors have in their details."""
    before, found, after = body.partition(b'"requestId":"')
    return before + found + after[36:] if found else body


@dataclass
class Pair:
    """The same bridge twice, once with a memory."""

    server: FollowedServer
    caching: Bridge
    plain: Bridge


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    settings: dict[str, Any] = {
        "cors_origins": ("https://app.example.com",),
        "trusted_proxies": ("127.0.0.1/32",),
    }
    async with (
        followed_server() as server,
        running_bridge(server.target, cache_bytes=10_000_000, cache_settle_seconds=0, **settings) as caching,
        running_bridge(server.target, cache_bytes=0, **settings) as plain,
    ):
        both = Pair(server, caching, plain)

        async def keeps() -> bool:
            target = f"{MOUNT}/static/docs/default/component/other/index.html"
            await caching.get(target)
            before = server.docs.asked
            await caching.get(target)
            return server.docs.asked == before

        await eventually(keeps, what="the bridge keeps answers")
        yield both


@pytest.mark.parametrize("anyone", [True, False])
async def test_memory_changes_no_answer(pair: Pair, anyone: bool) -> None:
    pair.server.docs.anyone = anyone
    pair.server.docs.private = not anyone
    spared = 0
    for target, headers, method in itertools.product(TARGETS, HEADERS, ("GET", "HEAD")):
        lines = [f"{name}: {value}" for name, value in headers.items() if name != "host"]
        own_id = "x-request-id" in headers
        expected = Answer.of(await _get(pair.plain, target, lines, method, headers), own_id=own_id)
        for turn in range(_TURNS):
            before = pair.server.docs.asked
            found = Answer.of(await _get(pair.caching, target, lines, method, headers), own_id=own_id)
            assert found == expected, (method, target, headers, turn)
            spared += pair.server.docs.asked == before
    # Or this has compared nothing.
    assert spared > 100


async def _get(bridge: Bridge, target: str, lines: list[str], method: str, headers: Mapping[str, str]) -> bytes:
    host = headers.get("host", "docs.test")
    request = [f"{method} {target} HTTP/1.1", f"host: {host}", "connection: close", *lines, "", ""]
    return await bridge.raw("\r\n".join(request).encode())
