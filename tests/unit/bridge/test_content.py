"""Pages and assets through a real bridge."""

from __future__ import annotations

import asyncio
import hashlib

import grpc
import httpx
import pytest
from techdocs.v1 import docs_pb2

from tests.support.waiting import eventually
from tests.unit.bridge.real_bridge import REVISION, Bridge, Server, running_bridge
from tests.unit.bridge.statuses import status

PAGE = b"<h1>Hello</h1>"
HTML = "text/html; charset=utf-8"
MIB = 1024 * 1024
NAVIGATION = {"sec-fetch-mode": "navigate"}


@pytest.fixture(autouse=True)
def files(server: Server) -> None:
    server.docs.files = {
        "index.html": (HTML, PAGE),
        "guide/index.html": (HTML, b"guide"),
        "404.html": (HTML, b"site's own 404"),
        "style.css": ("text/css; charset=utf-8", b"a{}"),
        "logo.svg": ("image/svg+xml", b"<svg/>"),
        "empty.txt": ("text/plain; charset=utf-8", b""),
        "a#b?c%.txt": ("text/plain; charset=utf-8", b"odd"),
    }


def etag_of(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()}"'


async def test_page_has_its_type_validators_and_length(client: httpx.AsyncClient) -> None:
    answer = await client.get("/docs/default/component/x/index.html")
    assert answer.status_code == 200
    assert answer.content == PAGE
    assert answer.headers["content-type"] == HTML
    assert answer.headers["etag"] == etag_of(PAGE)
    assert answer.headers["content-length"] == str(len(PAGE))
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-techdocs-revision"] == REVISION
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "server" not in answer.headers


@pytest.mark.parametrize("chunk_bytes", [1, 4, 13, 14, 15])
async def test_content_of_any_number_of_messages_arrives_whole(
    server: Server, client: httpx.AsyncClient, chunk_bytes: int
) -> None:
    server.docs.chunk_bytes = chunk_bytes
    assert (await client.get("/docs/default/component/x/")).content == PAGE


async def test_empty_file_is_an_answer(client: httpx.AsyncClient) -> None:
    answer = await client.get("/docs/default/component/x/empty.txt")
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "0")


async def test_pinned_revision_never_changes_and_says_so(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"/docs/default/component/x/?revision={'cd' * 32}")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-techdocs-revision"] == "cd" * 32


async def test_head_has_the_headers_of_get_and_reads_nothing(server: Server, bridge: Bridge) -> None:
    get = await bridge.get("/api/techdocs/docs/default/component/x/")
    head = await bridge.get("/api/techdocs/docs/default/component/x/", method="HEAD")
    assert head.endswith(b"\r\n\r\n")
    assert b"content-length: 14" in head
    names = [line.split(b":")[0] for line in get.split(b"\r\n\r\n")[0].split(b"\r\n")[1:]]
    assert [line.split(b":")[0] for line in head.strip().split(b"\r\n")[1:]] == names
    assert server.docs.requests[-1].view == docs_pb2.CONTENT_VIEW_INFO


@pytest.mark.parametrize(
    "held",
    ["{}", "W/{}", '"other", {}', '"other" ,\t W/{},', "*", ", {}"],
    ids=["one", "weak", "list", "odd", "any", "gap"],
)
async def test_client_that_holds_the_content_gets_304_without_a_body(client: httpx.AsyncClient, held: str) -> None:
    headers = {"if-none-match": held.format(etag_of(PAGE))}
    answer = await client.get("/docs/default/component/x/", headers=headers)
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == etag_of(PAGE)
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/docs/default/component/x/", "/static/docs/default/component/x/index.html"])
async def test_news_that_nothing_changed_keeps_the_policy_of_what_is_cached(
    client: httpx.AsyncClient, path: str
) -> None:
    page = await client.get(path)
    news = await client.get(path, headers={"if-none-match": page.headers["etag"]})
    assert news.status_code == 304
    assert news.headers["content-security-policy"] == page.headers["content-security-policy"]


@pytest.mark.parametrize("held", ['"other"', "unquoted", '"broken', "*, *"])
async def test_client_that_holds_something_else_gets_the_content(client: httpx.AsyncClient, held: str) -> None:
    answer = await client.get("/docs/default/component/x/", headers={"if-none-match": held})
    assert (answer.status_code, answer.content) == (200, PAGE)


@pytest.mark.parametrize(
    ("wanted", "part", "where"),
    [
        ("bytes=0-3", b"<h1>", "bytes 0-3/14"),
        ("bytes=4-", b"Hello</h1>", "bytes 4-13/14"),
        ("bytes=-5", b"</h1>", "bytes 9-13/14"),
        ("bytes=-99", PAGE, "bytes 0-13/14"),
        ("bytes=0-", PAGE, "bytes 0-13/14"),
        ("bytes=4-99", b"Hello</h1>", "bytes 4-13/14"),
    ],
)
async def test_range_is_answered_with_the_part(client: httpx.AsyncClient, wanted: str, part: bytes, where: str) -> None:
    answer = await client.get("/docs/default/component/x/index.html", headers={"range": wanted})
    assert (answer.status_code, answer.content) == (206, part)
    assert answer.headers["content-range"] == where
    assert answer.headers["content-length"] == str(len(part))


@pytest.mark.parametrize(
    "wanted", ["bytes=3-1", "lines=1-2", "bytes=0-4,4-5", "bytes=0-1,x", "bytes=", "bytes=x", "bytes" + "=0-0" * 9]
)
async def test_range_that_means_nothing_is_ignored(client: httpx.AsyncClient, wanted: str) -> None:
    answer = await client.get("/docs/default/component/x/index.html", headers={"range": wanted})
    assert (answer.status_code, answer.content) == (200, PAGE)


@pytest.mark.parametrize("wanted", ["bytes=14-", "bytes=-0", "bytes=14-15,-0", f"bytes={'9' * 40}-"])
async def test_range_past_the_end_is_416_with_the_size(client: httpx.AsyncClient, wanted: str) -> None:
    answer = await client.get("/docs/default/component/x/index.html", headers={"range": wanted})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */14"
    assert answer.json()["error"]["details"][0]["reason"] == "RANGE_NOT_SATISFIABLE"


async def test_if_range_gives_the_part_of_the_same_content_and_the_whole_of_another(client: httpx.AsyncClient) -> None:
    same = {"range": "bytes=0-3", "if-range": etag_of(PAGE)}
    other = {"range": "bytes=0-3", "if-range": '"other"'}
    dated = {"range": "bytes=99-", "if-range": "Tue, 24 Nov 2026 00:00:00 GMT"}
    url = "/docs/default/component/x/index.html"
    assert (await client.get(url, headers=same)).status_code == 206
    assert (await client.get(url, headers=other)).content == PAGE
    answer = await client.get(url, headers=dated)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")


async def test_static_types_are_backstages_and_markup_is_plain_text(client: httpx.AsyncClient) -> None:
    page = await client.get("/static/docs/default/component/x/index.html")
    assert (page.content, page.headers["content-type"]) == (PAGE, "text/plain; charset=utf-8")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    image = await client.get("/static/docs/default/component/x/logo.svg")
    assert image.headers["content-type"] == "text/plain; charset=utf-8"
    style = await client.get("/static/docs/default/component/x/style.css?v=2")
    assert style.headers["content-type"] == "text/css; charset=utf-8"


async def test_queries_of_links_inside_a_site_mean_nothing(server: Server, client: httpx.AsyncClient) -> None:
    answer = await client.get("/docs/default/component/x/?h=term&path=style.css&view=2&read_offset=3&%zz=1")
    assert (answer.status_code, answer.content) == (200, PAGE)
    assert (server.docs.requests[0].read_offset, server.docs.requests[0].path) == (0, "")


async def test_unknown_query_elsewhere_is_refused_by_name(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/sites/default/component/x?revison=1")
    assert answer.status_code == 400
    assert answer.json()["error"]["details"][1]["fieldViolations"][0]["field"] == "revison"


async def test_encoded_names_reach_the_server_decoded_once(server: Server, bridge: Bridge) -> None:
    answer = await bridge.get("/api/techdocs/docs/default/component/x/a%23b%3Fc%25.txt")
    assert answer.endswith(b"odd")


@pytest.mark.parametrize("path", ["..%2fother", "a/../b", "%2e%2e/x", "a%5cb", "a//b", "%00", "%ff", "%zz"])
async def test_path_that_cannot_be_is_refused_before_the_server_hears_of_it(
    server: Server, bridge: Bridge, path: str
) -> None:
    site = await bridge.get(f"/api/techdocs/docs/default/component/x/{path}")
    static = await bridge.get(f"/api/techdocs/static/docs/default/component/x/{path}")
    assert site.startswith(b"HTTP/1.1 400 ")
    assert static.startswith(b"HTTP/1.1 404 ")
    assert not server.docs.requests


async def test_browser_is_sent_to_the_slash_of_a_directory(client: httpx.AsyncClient) -> None:
    for path in ("/docs/default/component/x", "/docs/default/component/x/guide"):
        answer = await client.get(f"{path}?h=a%20b", headers=NAVIGATION)
        assert answer.status_code == 308
        assert answer.headers["location"] == f"/api/techdocs{path}/?h=a%20b"
        assert answer.headers["vary"] == "sec-fetch-mode"
        assert answer.headers["cache-control"] == "no-cache"


async def test_program_gets_the_page_of_a_directory_without_its_slash(client: httpx.AsyncClient) -> None:
    answer = await client.get("/docs/default/component/x/guide")
    assert (answer.status_code, answer.content) == (200, b"guide")
    assert answer.headers["vary"] == "accept-encoding, sec-fetch-mode"


@pytest.mark.parametrize("path", ["x/", "x/guide/", "x/guide/index.html", "x/style.css"])
async def test_browser_is_not_sent_anywhere_from_an_exact_url(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(f"/docs/default/component/{path}", headers=NAVIGATION)
    assert answer.status_code == 200
    assert answer.headers["vary"] == "accept-encoding"


@pytest.mark.parametrize(
    ("path", "accept"),
    [("none/", "*/*"), ("none", "*/*"), ("none.html", "text/*;q=0.5"), ("none.png", "image/png, text/html;q=0.1")],
)
async def test_missing_page_is_told_by_the_site_itself(client: httpx.AsyncClient, path: str, accept: str) -> None:
    answer = await client.get(f"/docs/default/component/x/{path}", headers={"accept": accept})
    assert (answer.status_code, answer.content) == (404, b"site's own 404")
    assert answer.headers["content-type"] == HTML
    assert answer.headers["x-techdocs-revision"] == REVISION
    assert "etag" not in answer.headers
    assert "sandbox" not in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("path", "accept"), [("none.png", "*/*"), ("none/", "application/json"), ("none/", "text/html;q=0, image/*")]
)
async def test_missing_file_is_told_in_json(client: httpx.AsyncClient, path: str, accept: str) -> None:
    answer = await client.get(f"/docs/default/component/x/{path}", headers={"accept": accept})
    assert answer.status_code == 404
    assert answer.json()["error"]["name"] == "NotFoundError"


async def test_missing_page_is_told_in_json_where_the_site_has_no_page_for_it(
    server: Server, client: httpx.AsyncClient
) -> None:
    del server.docs.files["404.html"]
    answer = await client.get("/docs/default/component/x/none/")
    assert answer.json()["error"]["message"] == "no 'none/'"


async def test_page_for_the_missing_is_of_the_revision_that_was_searched(
    server: Server, client: httpx.AsyncClient
) -> None:
    server.docs.chunk_bytes = 100
    await client.get("/docs/default/component/x/none/")
    assert [(r.path, r.revision) for r in server.docs.requests] == [("none/", ""), ("404.html", REVISION)]


async def test_missing_file_is_never_a_page_on_static(client: httpx.AsyncClient) -> None:
    answer = await client.get("/static/docs/default/component/x/none/index.html", headers={"accept": "text/html"})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/json"


async def test_broken_storage_is_503_on_a_site_and_500_on_static(server: Server, client: httpx.AsyncClient) -> None:
    server.docs.failure = status(
        grpc.StatusCode.UNAVAILABLE, "storage is unavailable", "STORAGE_UNAVAILABLE", retry_seconds=4.2
    )
    site = await client.get("/docs/default/component/x/")
    static = await client.get("/static/docs/default/component/x/index.html")
    assert (site.status_code, site.headers["retry-after"]) == (503, "5")
    assert (static.status_code, static.json()["response"]["statusCode"]) == (500, 500)
    assert len(server.docs.requests) == 2  # a store that named its own time is not asked twice


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("INVALID_ARGUMENT", "FIELD_INVALID"),
        ("RESOURCE_EXHAUSTED", "SERVER_OVERLOADED"),
        ("DATA_LOSS", "CONTENT_CORRUPT"),
    ],
)
async def test_static_page_request_is_answered_with_404_or_500_whatever_fails(
    server: Server, client: httpx.AsyncClient, code: str, reason: str
) -> None:
    server.docs.failure = status(grpc.StatusCode[code], "no", reason)
    answer = await client.get("/static/docs/default/component/x/index.html")
    assert answer.status_code == (404 if reason == "FIELD_INVALID" else 500)


async def test_failure_behind_the_first_message_of_a_small_page_is_an_error(
    server: Server, client: httpx.AsyncClient
) -> None:
    server.docs.chunk_bytes = 100
    server.docs.failure_after_first = status(grpc.StatusCode.DATA_LOSS, "damaged", "CONTENT_CORRUPT")
    answer = await client.get("/docs/default/component/x/")
    assert (answer.status_code, answer.json()["error"]["message"]) == (500, "damaged")


async def test_failure_after_bytes_were_sent_breaks_the_answer_off(server: Server, bridge: Bridge) -> None:
    server.docs.missing_bytes = 1
    answer = await bridge.get("/api/techdocs/docs/default/component/x/")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-length: 14" in head
    assert PAGE.startswith(body)
    assert len(body) < 14


async def test_bytes_that_were_not_announced_are_never_sent(server: Server, bridge: Bridge) -> None:
    server.docs.extra_bytes = b"more"
    answer = await bridge.get("/api/techdocs/docs/default/component/x/")
    assert len(answer.partition(b"\r\n\r\n")[2]) < 14


async def test_client_that_leaves_cancels_the_read(server: Server, bridge: Bridge) -> None:
    server.docs.gate = asyncio.Event()
    _, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
    writer.write(b"GET /api/techdocs/docs/default/component/x/ HTTP/1.1\r\nhost: x\r\n\r\n")
    await eventually(lambda: server.docs.waiting, what="the read has begun")
    writer.close()
    await eventually(lambda: server.docs.cancelled == 1, what="the read was cancelled")


async def test_reader_that_takes_nothing_stops_the_read_and_is_given_up(server: Server) -> None:
    server.docs.files["big.bin"] = ("application/octet-stream", bytes(64 * MIB))
    server.docs.chunk_bytes = MIB
    async with running_bridge(server.target, client_timeout_seconds=0.5) as bridge:
        _, writer = await asyncio.open_connection("127.0.0.1", bridge.port, limit=1024)
        writer.write(b"GET /api/techdocs/docs/default/component/x/big.bin HTTP/1.1\r\nhost: x\r\n\r\n")
        await eventually(lambda: server.docs.cancelled, what="the read was cancelled")
        assert server.docs.sent_messages < 40
        writer.close()


async def test_large_file_arrives_whole(server: Server, client: httpx.AsyncClient) -> None:
    content = bytes(range(256)) * 4 * 1024 * 5
    server.docs.files["big.bin"] = ("application/octet-stream", content)
    server.docs.chunk_bytes = 256 * 1024
    assert (await client.get("/docs/default/component/x/big.bin")).content == content


async def test_site_policy_lets_scripts_reach_their_own_site_only(client: httpx.AsyncClient) -> None:
    for path in ("", "style.css"):
        answer = await client.get(f"/docs/Default/component/x/{path}", headers={"host": "docs.test:8443"})
        policy = dict(d.split(" ", 1) for d in answer.headers["content-security-policy"].split("; "))
        site = "docs.test:8443/api/techdocs/docs/Default/component/x/"
        assert policy["worker-src"] == policy["form-action"] == policy["base-uri"] == site
        assert policy["connect-src"].split()[0] == policy["frame-src"].split()[0] == site
        assert "'self'" not in policy["connect-src"]
        assert answer.headers["cross-origin-opener-policy"] == "noopener-allow-popups"


@pytest.mark.parametrize("host", ["[::1]:7071", "a;b", "evil/path", "a b"])
async def test_host_that_a_policy_cannot_name_allows_nothing(client: httpx.AsyncClient, host: str) -> None:
    answer = await client.get("/docs/default/component/x/", headers={"host": host})
    assert "worker-src 'none'" in answer.headers["content-security-policy"]
    assert host not in answer.headers["content-security-policy"]
