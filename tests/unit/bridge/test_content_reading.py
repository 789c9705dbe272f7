"""Conditions, codings and parts through a real bridge: what the server cannot be made to do at will."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta

import grpc
import httpx
import pytest
from techdocs.v1 import docs_pb2
from techdocs_bridge.http_dates import http_date

from tests.unit.bridge.real_bridge import REVISION, Bridge, Server, etag_of
from tests.unit.bridge.statuses import status

PAGE = b"<h1>Hello</h1>"
PACKED = gzip.compress(PAGE)
HTML = "text/html; charset=utf-8"
URLS = ("/docs/default/component/x/index.html", "/static/docs/default/component/x/index.html")
URL = URLS[0]
IDENTITY = {"accept-encoding": "identity"}


@pytest.fixture(autouse=True)
def files(server: Server) -> None:
    server.docs.files = {"index.html": (HTML, PAGE), "404.html": (HTML, b"site's own 404")}
    server.docs.gzipped = {"index.html": PACKED}


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("chunk_bytes", [4, 100], ids=["streamed", "in one message"])
async def test_coding_is_told_and_its_bytes_are_not_touched(
    server: Server, bridge: Bridge, url: str, chunk_bytes: int
) -> None:
    server.docs.chunk_bytes = chunk_bytes
    head, _, body = (await bridge.get(f"/api/techdocs{url}", "accept-encoding: gzip")).partition(b"\r\n\r\n")
    assert body == PACKED
    lines = head.decode().split("\r\n")
    for line in (f"content-length: {len(PACKED)}", "content-encoding: gzip", f"etag: {etag_of(PACKED)}"):
        assert line in lines


async def test_what_is_asked_of_the_server_is_what_the_client_takes(server: Server, client: httpx.AsyncClient) -> None:
    for header, expected in (("br, gzip;q=0.1", [1, 2]), ("gzip", [2]), ("identity", [])):
        server.docs.requests.clear()
        await client.get(URL, headers={"accept-encoding": header})
        assert {tuple(request.accept_encodings) for request in server.docs.requests} == {tuple(expected)}
    server.docs.requests.clear()
    await client.get(URL, headers={"accept-encoding": "gzip", "range": "bytes=0-3"})
    assert {tuple(request.accept_encodings) for request in server.docs.requests} == {()}


@pytest.mark.parametrize("url", URLS)
async def test_private_answers_say_so_whatever_their_status(
    server: Server, client: httpx.AsyncClient, url: str
) -> None:
    server.docs.private = True
    for headers, code in (({}, 200), ({"range": "bytes=0-1"}, 206), ({"range": "bytes=0-1,3-4"}, 206)):
        answer = await client.get(url, headers=headers)
        assert (answer.status_code, answer.headers["cache-control"]) == (code, "private, no-cache")
    held = await client.get(url, headers={"if-none-match": "*"})
    assert (held.status_code, held.headers["cache-control"]) == (304, "private, no-cache")
    pinned = await client.get(f"{url}?revision={REVISION}")
    assert pinned.headers["cache-control"] == "private, max-age=31536000, immutable"


async def test_private_site_s_page_for_the_missing_and_its_redirects_are_private(
    server: Server, client: httpx.AsyncClient
) -> None:
    server.docs.private = True
    missing = await client.get("/docs/default/component/x/none/")
    assert (missing.status_code, missing.headers["cache-control"]) == (404, "private, no-cache")
    moved = await client.get("/docs/default/component/x", headers={"sec-fetch-mode": "navigate"})
    assert (moved.status_code, moved.headers["cache-control"]) == (308, "private, no-cache")


async def test_date_is_told_when_its_second_is_over(server: Server, client: httpx.AsyncClient) -> None:
    now = datetime.now(UTC)
    server.docs.last_modified = now - timedelta(seconds=5)
    second = server.docs.last_modified.replace(microsecond=0) + timedelta(seconds=1)
    assert (await client.get(URL)).headers["last-modified"] == http_date(second)
    server.docs.last_modified = now + timedelta(hours=1)
    answer = await client.get(URL)
    assert "last-modified" not in answer.headers
    # A date that the client has from elsewhere is before it, and so nothing is unmodified.
    for condition, code in (("if-modified-since", 200), ("if-unmodified-since", 412)):
        assert (await client.get(URL, headers={condition: http_date(now)})).status_code == code


async def test_content_without_a_date_has_no_header_for_it(client: httpx.AsyncClient) -> None:
    answer = await client.get(URL, headers={"if-modified-since": http_date(datetime.now(UTC))})
    assert (answer.status_code, "last-modified" in answer.headers) == (200, False)


@pytest.mark.parametrize("wanted", ["bytes=0-3", "bytes=0-3,5-6"])
async def test_parts_are_of_the_revision_they_were_decided_on(
    server: Server, client: httpx.AsyncClient, wanted: str
) -> None:
    await client.get(URL, headers={"range": wanted})
    look, *parts = server.docs.requests
    assert (look.revision, look.view) == ("", docs_pb2.CONTENT_VIEW_INFO)
    assert {part.revision for part in parts} == {REVISION}


@pytest.mark.parametrize("wanted", ["bytes=0-3", "bytes=0-3,5-6"])
async def test_parts_are_decided_anew_once_when_the_revision_is_gone(
    server: Server, client: httpx.AsyncClient, wanted: str
) -> None:
    server.docs.gone_revisions = 1
    assert (await client.get(URL, headers={"range": wanted})).status_code == 206
    server.docs.gone_revisions = 2
    answer = await client.get(URL, headers={"range": wanted})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json")
    server.docs.gone_revisions = 1
    pinned = await client.get(f"{URL}?revision={REVISION}", headers={"range": wanted})
    assert pinned.status_code == 404


async def test_large_content_is_read_of_the_newest_revision_when_the_one_seen_is_gone(
    server: Server, client: httpx.AsyncClient
) -> None:
    server.docs.gone_revisions = 1
    answer = await client.get(URL, headers=IDENTITY)
    assert (answer.status_code, answer.content) == (200, PAGE)
    assert [request.revision for request in server.docs.requests] == ["", REVISION, ""]


async def test_small_content_is_one_message(server: Server, client: httpx.AsyncClient) -> None:
    server.docs.chunk_bytes = 100
    assert (await client.get(URL, headers=IDENTITY)).content == PAGE
    [request] = server.docs.requests
    assert isinstance(request, docs_pb2.GetContentRequest)
    assert request.max_data_bytes == 256 * 1024


@pytest.mark.parametrize("wanted", ["bytes=0-3", "bytes=0-3,5-6", "bytes=0-13"])
@pytest.mark.parametrize("other", [b"<h1>Other</h1>", b"<h1>", PAGE + b" and more"], ids=["same size", "less", "more"])
async def test_parts_of_another_content_are_never_sent(
    server: Server, client: httpx.AsyncClient, wanted: str, other: bytes
) -> None:
    server.docs.part_content = other
    answer = await client.get(URL, headers={"range": wanted})
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/json")


async def test_small_content_that_ends_early_is_an_error_in_words(server: Server, client: httpx.AsyncClient) -> None:
    server.docs.chunk_bytes, server.docs.missing_bytes = 100, 1
    for headers in (IDENTITY, {"range": "bytes=0-9"}):
        answer = await client.get(URL, headers=headers)
        assert (answer.status_code, answer.json()["response"]) == (500, {"statusCode": 500})


@pytest.mark.parametrize("wanted", ["bytes=0-9", "bytes=0-3,5-6"])
async def test_part_with_other_bytes_than_announced_is_broken_off(server: Server, bridge: Bridge, wanted: str) -> None:
    server.docs.missing_bytes = 1
    answer = await bridge.get(f"/api/techdocs{URL}", f"range: {wanted}")
    head, _, body = answer.partition(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 500"):
        assert b'"statusCode":500' in body
    else:
        [length] = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length")]
        assert len(body) < length


async def test_failure_in_a_later_part_breaks_the_answer_off(server: Server, bridge: Bridge) -> None:
    server.docs.files["index.html"] = (HTML, bytes(100_000))
    server.docs.chunk_bytes = 1000
    server.docs.failure_after_first = status(grpc.StatusCode.DATA_LOSS, "damaged", "CONTENT_CORRUPT")
    # The first part is one message that does not fail; the second one has several.
    server.docs.fails_from_offset = 50_000
    answer = await bridge.get(f"/api/techdocs{URL}", "range: bytes=0-999,60000-99999")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 206")
    assert bytes(1000) in body
    assert len(body) < 40_000
    assert b"damaged" not in body


@pytest.mark.parametrize("url", URLS)
async def test_refused_conditions_and_ranges_keep_their_status_below_static(
    client: httpx.AsyncClient, url: str
) -> None:
    refused = await client.get(url, headers={"if-match": '"other"'})
    assert (refused.status_code, refused.json()["error"]["name"]) == (412, "PreconditionFailedError")
    assert refused.headers["cache-control"] == "no-store"
    past = await client.get(url, headers={"range": "bytes=14-"})
    assert (past.status_code, past.headers["content-range"]) == (416, "bytes */14")


async def test_more_tags_than_the_contract_takes_are_cut(server: Server, client: httpx.AsyncClient) -> None:
    tags = ", ".join(['"' + "x" * 200 + '"', *(f'"{number}"' for number in range(40))])
    answer = await client.get(URL, headers={"if-none-match": tags})
    assert answer.status_code == 200
    assert len(server.docs.requests[0].if_none_match) == 32
