from __future__ import annotations

import logging

import httpx
import pytest
from starlette.datastructures import Headers
from techdocs_bridge.forwarded import Origin, Proxies

from tests.unit.bridge.real_bridge import MOUNT, Server, running_bridge

TRUSTED = ("10.0.0.0/8", "192.0.2.7", "2001:db8::/32")


def origin_of(peer: str, *headers: tuple[str, str]) -> Origin:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in (("host", "docs.test"), *headers)]
    return Proxies(TRUSTED).origin(peer, "http", Headers(raw=raw))


@pytest.mark.parametrize("peer", ["203.0.113.9", "11.0.0.1", "192.0.2.8", "::1", "", "unix:", "10.0.0.1.evil.test"])
def test_stranger_is_not_believed(peer: str) -> None:
    told = origin_of(
        peer,
        ("x-forwarded-for", "1.2.3.4"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil.test"),
        ("x-forwarded-prefix", "/evil"),
    )
    assert told == Origin(peer, "http", "docs.test", "")


@pytest.mark.parametrize(
    ("listed", "client"),
    [
        ("1.2.3.4", "1.2.3.4"),
        ("6.6.6.6, 1.2.3.4", "1.2.3.4"),
        ("6.6.6.6, 1.2.3.4, 10.0.0.2", "1.2.3.4"),
        ("10.6.6.6, 1.2.3.4, 192.0.2.7", "1.2.3.4"),
        ("6.6.6.6, 1.2.3.4:5678", "1.2.3.4"),
        ("[2001:db9::1]:443", "2001:db9::1"),
        ("2001:db9::1, 2001:db8::5", "2001:db9::1"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("10.0.0.2, 10.0.0.3", "10.0.0.2"),
        ("", "10.0.0.1"),
        ("unknown", "10.0.0.1"),
        ("1.2.3.4, nonsense, 10.0.0.2", "10.0.0.2"),
        ("1.2.3.4\x85\x85, 10.0.0.2", "10.0.0.2"),
        (",".join(["1.2.3.4"] * 1000), "1.2.3.4"),
    ],
)
def test_client_is_the_last_address_that_is_no_proxy(listed: str, client: str) -> None:
    assert origin_of("10.0.0.1", ("x-forwarded-for", listed)).peer == client


def test_several_headers_are_one_list() -> None:
    told = origin_of("10.0.0.1", ("x-forwarded-for", "6.6.6.6, 1.2.3.4"), ("x-forwarded-for", "10.0.0.2"))
    assert told.peer == "1.2.3.4"


def test_what_the_outermost_proxy_saw_counts() -> None:
    told = origin_of(
        "10.0.0.1",
        ("x-forwarded-for", "6.6.6.6, 1.2.3.4, 10.0.0.2"),
        ("x-forwarded-proto", "http, https, http"),
        ("x-forwarded-host", "evil.test, backstage.test, inner.test"),
    )
    # 10.0.0.1 and 10.0.0.2 are ours: the second entry from the right was written by the outer one.
    assert (told.scheme, told.host) == ("https", "backstage.test")


def test_one_value_for_many_proxies_is_taken() -> None:
    told = origin_of(
        "10.0.0.1",
        ("x-forwarded-for", "1.2.3.4, 10.0.0.2"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-prefix", "/x/"),
    )
    assert (told.scheme, told.prefix) == ("https", "/x")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-forwarded-proto", "javascript"),
        ("x-forwarded-host", "evil.test; script-src *"),
        ("x-forwarded-host", "a b"),
        ("x-forwarded-host", "evil.test/x"),
        ("x-forwarded-prefix", "//evil.test"),
        ("x-forwarded-prefix", "/a/../b"),
        ("x-forwarded-prefix", "https://evil.test"),
        ("x-forwarded-prefix", "/a;b"),
        ("x-forwarded-prefix", "/a\\b"),
    ],
)
def test_what_has_no_form_is_not_believed(name: str, value: str) -> None:
    assert origin_of("10.0.0.1", ("x-forwarded-for", "1.2.3.4"), (name, value)) == Origin(
        "1.2.3.4", "http", "docs.test", ""
    )


@pytest.mark.parametrize("network", ["10.0.0.1/8", "proxy.test", "*", ""])
def test_proxy_that_is_no_network_is_refused(network: str) -> None:
    with pytest.raises(ValueError, match=r"does not appear|has host bits"):
        Proxies((network,))


FORWARDED = {
    "x-forwarded-for": "203.0.113.9",
    "x-forwarded-host": "backstage.test",
    "x-forwarded-prefix": "/portal",
}


async def test_answers_follow_what_a_trusted_proxy_says(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    server.docs.files = {"guide/index.html": ("text/html", b"page")}
    async with (
        running_bridge(server.target, trusted_proxies=("127.0.0.0/8",)) as bridge,
        httpx.AsyncClient(base_url=bridge.api) as client,
    ):
        with caplog.at_level(logging.INFO, "techdocs.bridge.access"):
            page = await client.get("/docs/default/component/x/guide/", headers=FORWARDED)
        moved = await client.get("/docs/default/component/x/guide", headers={**FORWARDED, "sec-fetch-mode": "navigate"})
    site = f"backstage.test/portal{MOUNT}/docs/default/component/x/"
    assert f"connect-src {site}" in page.headers["content-security-policy"]
    assert moved.headers["location"] == f"/portal{MOUNT}/docs/default/component/x/guide/"
    assert caplog.records[-1].__dict__["peer"] == "203.0.113.9"


async def test_answers_do_not_follow_what_anybody_says(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    server.docs.files = {"guide/index.html": ("text/html", b"page")}
    async with running_bridge(server.target) as bridge, httpx.AsyncClient(base_url=bridge.api) as client:
        with caplog.at_level(logging.INFO, "techdocs.bridge.access"):
            page = await client.get("/docs/default/component/x/guide/", headers=FORWARDED)
        moved = await client.get("/docs/default/component/x/guide", headers={**FORWARDED, "sec-fetch-mode": "navigate"})
    assert "backstage.test" not in page.headers["content-security-policy"]
    assert moved.headers["location"] == f"{MOUNT}/docs/default/component/x/guide/"
    assert caplog.records[-1].__dict__["peer"] == "127.0.0.1"


async def test_page_for_what_is_missing_leads_to_where_a_trusted_proxy_has_the_site(server: Server) -> None:
    page = b'<script>__md_scope=new URL("/",location)</script><a href="/guide/">guide</a>'
    server.docs.files = {"404.html": ("text/html", page)}
    async with (
        running_bridge(server.target, trusted_proxies=("127.0.0.0/8",)) as bridge,
        httpx.AsyncClient(base_url=bridge.api) as client,
    ):
        answer = await client.get("/docs/default/component/x/none/", headers={**FORWARDED, "accept": "text/html"})
    assert answer.status_code == 404
    site = f"/portal{MOUNT}/docs/default/component/x/"
    assert f'<a href="{site}guide/">' in answer.text
    assert f"connect-src backstage.test{site}" in answer.headers["content-security-policy"]
