from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from techdocs_bridge.cross_origin import origin_patterns

from tests.unit.bridge.real_bridge import Bridge, Server, running_bridge

METADATA = "/metadata/techdocs/default/component/x"
ORIGINS = ("https://backstage.example.com", "https://pr-*.preview.example.com", "http://localhost:3000")
LET_IN = [
    "https://backstage.example.com",
    "https://pr-12.preview.example.com",
    "http://localhost:3000",
]
KEPT_OUT = [
    "https://evil.test",
    "http://backstage.example.com",
    "https://backstage.example.com:8443",
    "https://backstage.example.com.evil.test",
    "https://backstageXexample.com",
    "https://pr-a.b.preview.example.com",
    "https://pr-.evil.test#.preview.example.com",
    "https://pr-1.preview.example.com.evil.test",
    "https://x@backstage.example.com",
    "http://localhost:30000",
    "null",
    "*",
    "",
    "https://backstage.example.com https://evil.test",
]


@pytest.fixture
async def shared(server: Server) -> AsyncIterator[Bridge]:
    async with running_bridge(server.target, cors_origins=ORIGINS) as bridge:
        yield bridge


@pytest.mark.parametrize("origin", LET_IN)
async def test_named_origin_reads_answers_with_credentials(shared: Bridge, origin: str) -> None:
    async with httpx.AsyncClient(base_url=shared.api) as client:
        good = await client.get(METADATA, headers={"origin": origin})
        bad = await client.get("/metadata/techdocs/default/component/x/y/z", headers={"origin": origin})
        asked = await client.options(
            METADATA,
            headers={
                "origin": origin,
                "access-control-request-method": "GET",
                "access-control-request-headers": "authorization,x-theirs",
            },
        )
    for answer in (good, bad, asked):
        assert answer.headers["access-control-allow-origin"] == origin
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert "origin" in answer.headers["vary"].lower()
    assert (good.status_code, bad.status_code) == (200, 404)
    assert (asked.status_code, asked.content) == (204, b"")
    assert asked.headers["access-control-allow-headers"] == "authorization,x-theirs"
    assert "GET" in asked.headers["access-control-allow-methods"]


@pytest.mark.parametrize("origin", KEPT_OUT)
async def test_other_origin_is_answered_as_if_it_had_none(shared: Bridge, origin: str) -> None:
    async with httpx.AsyncClient(base_url=shared.api) as client:
        answer = await client.get(METADATA, headers={"origin": origin})
        asked = await client.options(METADATA, headers={"origin": origin, "access-control-request-method": "GET"})
    for told in (answer, asked):
        assert not [name for name in told.headers if name.startswith("access-control")]
    assert "origin" in answer.headers["vary"].lower(), "a cache must not give this answer to an origin that is let in"


async def test_answer_without_an_origin_still_depends_on_it(shared: Bridge) -> None:
    async with httpx.AsyncClient(base_url=shared.api) as client:
        assert "origin" in (await client.get(METADATA)).headers["vary"].lower()


async def test_bridge_that_names_no_origin_lets_none_in(bridge: Bridge) -> None:
    async with httpx.AsyncClient(base_url=bridge.api) as client:
        answer = await client.get(METADATA, headers={"origin": "https://evil.test"})
        asked = await client.options(
            METADATA, headers={"origin": "https://evil.test", "access-control-request-method": "GET"}
        )
    for told in (answer, asked):
        assert not [name for name in told.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "origin",
    ["*", "https://*", "https://*.*", "backstage.example.com", "https://a.test/x", "https://a.test/", "null", ""],
)
def test_origin_that_is_none_or_all_is_refused(origin: str) -> None:
    with pytest.raises(ValueError, match="origins like"):
        origin_patterns([origin])


@pytest.mark.parametrize(("url", "sent"), [("https://b.test", "max-age=15552000"), ("http://b.test", None), ("", None)])
async def test_browsers_are_kept_on_https_where_they_come_by_it(server: Server, url: str, sent: str | None) -> None:
    async with running_bridge(server.target, external_url=url) as bridge, httpx.AsyncClient() as client:
        for path in ("/healthz", "/nothing"):
            assert (await client.get(bridge.url + path)).headers.get("strict-transport-security") == sent
