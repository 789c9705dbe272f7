"""A request as the bridge sees it."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Message, Scope
from techdocs_bridge.content_forms import is_static
from techdocs_bridge.exchange import ClientGone, Exchange, read_body, while_connected
from techdocs_bridge.site_pages import directory_location

MOUNT = "/api/techdocs"


def exchange(raw_path: bytes, *, root_path: str = "", query: bytes = b"", accept: str | None = None) -> Exchange:
    scope: Scope = {
        "type": "http",
        "method": "GET",
        "path": raw_path.decode(),
        "raw_path": raw_path,
        "root_path": root_path,
        "query_string": query,
        "headers": [] if accept is None else [(b"accept", accept.encode())],
    }
    return Exchange(scope, request_id="12345678", mount=MOUNT)


@pytest.mark.parametrize(
    ("raw_path", "root_path", "url", "path", "base"),
    [
        (b"/api/techdocs/docs/a%2Fb", "", "/docs/a%2Fb", b"/api/techdocs/docs/a%2Fb", b"/api/techdocs"),
        (b"/docs/a", "", "/docs/a", b"/docs/a", b""),
        (b"/x/api/techdocs/docs", "/x", "/docs", b"/api/techdocs/docs", b"/x/api/techdocs"),
        (b"/api/techdocs/docs", "/x", "/docs", b"/api/techdocs/docs", b"/api/techdocs"),
        (b"/api/techdocsdocs", "", "/api/techdocsdocs", b"/api/techdocsdocs", b""),
    ],
)
def test_url_is_relative_to_the_mount_wherever_the_application_lives(
    raw_path: bytes, root_path: str, url: str, path: bytes, base: bytes
) -> None:
    seen = exchange(raw_path, root_path=root_path)
    assert (seen.url, seen.path, seen.base) == (url, path, base)


def test_url_keeps_the_query() -> None:
    assert exchange(b"/api/techdocs/v1/sites", query=b"a=%20").url == "/v1/sites?a=%20"


def test_location_is_a_path_of_this_origin_whatever_the_request_looks_like() -> None:
    assert directory_location(exchange(b"/x/api/techdocs/docs/a", root_path="/x")) == "/x/api/techdocs/docs/a/"
    assert directory_location(exchange(b"//evil.test/docs")) == "/evil.test/docs/"


def test_static_is_told_from_the_path_alone() -> None:
    assert is_static(exchange(b"/api/techdocs/static/docs/%zz"))
    assert not is_static(exchange(b"/api/techdocs/docs/static/docs/"))


@pytest.mark.parametrize(
    ("accept", "named"),
    [
        ("text/html", True),
        ("Text/HTML;q=0.1, */*", True),
        ("application/json,text/html ; q=1", True),
        ("text/html;q=0", False),
        ("text/html;q=0.000", False),
        ("text/html2, */*", False),
        (None, False),
        ("", False),
    ],
)
def test_media_type_is_accepted_explicitly_only_by_name(accept: str | None, named: bool) -> None:
    assert exchange(b"/", accept=accept).accepts_explicitly("text/html") is named


def test_no_accept_header_is_all_there_is() -> None:
    assert exchange(b"/").accepts_explicitly("*/*")


async def test_work_is_cancelled_and_awaited_when_the_client_leaves() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(ClientGone):
        await while_connected(receive, work())
    assert ended.is_set()


async def test_work_of_a_client_that_stays_returns_or_raises_as_it_would() -> None:
    async def receive() -> Message:
        return await asyncio.Future()

    async def work(fails: bool) -> int:
        if fails:
            raise ValueError("as it would")
        return 7

    assert await while_connected(receive, work(fails=False)) == 7
    with pytest.raises(ValueError, match="as it would"):
        await while_connected(receive, work(fails=True))


async def test_body_is_read_to_its_end_or_not_at_all() -> None:
    messages: list[Message] = [
        {"type": "http.request", "body": b"a", "more_body": True},
        {"type": "http.request", "body": b"b"},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return messages.pop(0)

    assert await read_body(receive) == b"ab"
    with pytest.raises(ClientGone):
        await read_body(receive)
