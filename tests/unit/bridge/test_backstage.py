"""What only Backstage's clients ask for: their forms, words, cookie and paths, over a real bridge."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import grpc
import httpx
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from techdocs.v1 import auth_pb2, builds_pb2

from tests.unit.bridge.real_bridge import MOUNT, Bridge, Context, Server, StreamSync, Tokens, running_bridge
from tests.unit.bridge.statuses import status

METADATA = "/metadata/techdocs/default/component/x"
COOKIE = "/.backstage/auth/v1/cookie"
STORED = b'{"site_name":"S","build_timestamp":1795490828636,"files":["index.html"],"x-theirs":{"a":1.50}}'


@pytest.mark.parametrize("accept", ["*/*", "", "application/*", "text/html, */*;q=0.1"])
async def test_reader_of_backstage_gets_the_stored_metadata_byte_by_byte(
    server: Server, client: httpx.AsyncClient, accept: str
) -> None:
    server.docs.files = {"techdocs_metadata.json": ("application/json", STORED)}
    answer = await client.get(METADATA, headers={"accept": accept})
    assert (answer.status_code, answer.content) == (200, STORED)
    assert "accept" in answer.headers["vary"]


async def test_reader_of_the_openapi_document_gets_the_time_it_describes(server: Server, bridge: Bridge) -> None:
    server.docs.files = {"techdocs_metadata.json": ("application/json", STORED)}
    async with httpx.AsyncClient() as client:
        named = await client.get(bridge.api + METADATA, headers={"accept": "application/json"})
        at_root = await client.get(bridge.url + METADATA)
    for answer in (named, at_root):
        assert answer.json()["site_name"] == "Docs of x"
        assert isinstance(answer.json().get("build_timestamp", ""), str)
    assert "accept" in named.headers["vary"], "a cache must not give one reader the other's form"


@pytest.mark.parametrize("stored", [None, b"", b"not json", b"[]", b'{"build_timestamp":"2026-01-01T00:00:00Z"}'])
async def test_metadata_that_cannot_be_handed_on_are_told_in_the_same_form(
    server: Server, client: httpx.AsyncClient, stored: bytes | None
) -> None:
    server.docs.files = {} if stored is None else {"techdocs_metadata.json": ("application/json", stored)}
    answer = await client.get(METADATA)
    assert answer.json() == {
        "site_name": "Docs of x",
        "site_description": "",
        "build_timestamp": 0,
        "files": ["index.html"],
    }


@pytest.mark.parametrize(
    "path",
    [
        "/Metadata/TechDocs/Default/Component/X",
        "/metadata/techdocs/default/component/x/",
        "/METADATA/techdocs/default/component/x/",
    ],
)
async def test_paths_may_be_in_any_case_and_end_in_a_slash(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 200


async def test_the_mount_may_be_in_any_case(bridge: Bridge, server: Server) -> None:
    server.docs.files = {"a.html": ("text/html", b"<p>")}
    async with httpx.AsyncClient(base_url=bridge.url) as client:
        answer = await client.get("/API/TechDocs/Static/Docs/default/component/x/a.html")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        missing = await client.get("/API/TechDocs/Static/Docs/default/component/x/../../a.html%00")
        assert missing.status_code == 404


async def test_root_keeps_its_case(bridge: Bridge) -> None:
    async with httpx.AsyncClient(base_url=bridge.url) as client:
        assert (await client.get("/Metadata/techdocs/default/component/x")).status_code == 404


@pytest.mark.parametrize("query", ["x=1", "_=1795490828636&revision=", "a.b=c", "%zz", "=", "&&"])
async def test_query_that_is_none_of_ours_is_of_no_interest_to_backstage(
    bridge: Bridge, client: httpx.AsyncClient, query: str
) -> None:
    assert (await client.get(f"{METADATA}?{query}")).status_code == 200


async def test_query_that_is_ours_must_be_good(bridge: Bridge, client: httpx.AsyncClient) -> None:
    assert (await client.get(f"{METADATA}?revision.x=1")).status_code == 400
    assert (await client.get(bridge.url + METADATA, params={"x": "1"})).status_code == 400


NOT_FOUND = grpc.StatusCode.NOT_FOUND
WORDS: list[tuple[str, str, dict[str, str], str, str | None]] = [
    (METADATA, "ENTITY_NOT_FOUND", {}, "Unable to get metadata for 'component:default/x'", None),
    (
        METADATA,
        "SITE_NOT_FOUND",
        {},
        "Unable to get metadata for 'component:default/x'; caused by NotFoundError: told",
        "NotFoundError",
    ),
    ("/static/docs/default/component/x/a", "ENTITY_NOT_FOUND", {}, "Entity not found for component:default/x", None),
    ("/static/docs/default/component/x/a", "CONTENT_NOT_FOUND", {}, "told", None),
]


@pytest.mark.parametrize(("path", "reason", "metadata", "message", "cause"), WORDS)
async def test_errors_are_told_in_backstages_words(
    server: Server,
    client: httpx.AsyncClient,
    path: str,
    reason: str,
    metadata: dict[str, str],
    message: str,
    cause: str | None,
) -> None:
    server.docs.failure = status(NOT_FOUND, "told", reason, metadata)
    answer = await client.get(path.replace("component/x", "Component/X"))
    error = answer.json()["error"]
    assert (answer.status_code, error["name"], error["message"]) == (404, "NotFoundError", message)
    assert error.get("cause", {}).get("name") == cause
    assert answer.json()["request"]["url"] == path.replace("component/x", "Component/X")
    assert answer.json()["response"] == {"statusCode": 404}


async def test_words_at_the_root_are_the_servers_own(server: Server, bridge: Bridge) -> None:
    server.docs.failure = status(NOT_FOUND, "told", "ENTITY_NOT_FOUND")
    async with httpx.AsyncClient() as client:
        assert (await client.get(bridge.url + METADATA)).json()["error"]["message"] == "told"


def failing(failure: grpc.Status) -> StreamSync:
    async def stream(
        request: builds_pb2.StreamSyncRequest, context: Context
    ) -> AsyncIterator[builds_pb2.StreamSyncResponse]:
        told: list[builds_pb2.StreamSyncResponse] = []
        for message in told:
            yield message
        await context.abort_with_status(failure)

    return stream


@pytest.mark.parametrize(
    ("reason", "metadata", "message"),
    [
        ("NO_DOCS_SOURCE", {"sync_message": 'No preparer registered for type: "github"'}, None),
        ("NO_DOCS_SOURCE", {}, "told"),
        ("BUILD_FAILED", {"cause": "MKDOCS_FAILED"}, "told; caused by Error: Command mkdocs failed, exit code: 1"),
        ("BUILD_FAILED", {"cause": "SOURCE_UNAVAILABLE"}, "told"),
    ],
)
async def test_what_is_found_after_the_entity_is_told_inside_the_stream(
    server: Server, client: httpx.AsyncClient, reason: str, metadata: dict[str, str], message: str | None
) -> None:
    server.builds.stream = failing(status(grpc.StatusCode.FAILED_PRECONDITION, "told", reason, metadata))
    answer = await client.get("/sync/default/component/x", headers={"accept": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
    told = json.loads(answer.text.rpartition("data: ")[2])
    assert told == (message or metadata["sync_message"])
    assert answer.text.count("event: ") == 1


@pytest.mark.parametrize(
    ("reason", "code", "shown"),
    [("TOKEN_INVALID", "UNAUTHENTICATED", 401), ("ACCESS_DENIED", "PERMISSION_DENIED", 404), ("", "UNAVAILABLE", 500)],
)
async def test_page_answers_what_the_reader_knows_and_401(
    server: Server, client: httpx.AsyncClient, reason: str, code: str, shown: int
) -> None:
    server.docs.failure = status(grpc.StatusCode[code], "told", reason)
    assert (await client.get("/static/docs/default/component/x/index.html")).status_code == shown


async def test_head_of_a_sync_finds_out_whether_there_is_an_entity_and_builds_nothing(
    server: Server, client: httpx.AsyncClient
) -> None:
    answer = await client.head("/sync/default/component/x")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
    server.docs.failure = status(NOT_FOUND, "told", "ENTITY_NOT_FOUND")
    assert (await client.head("/sync/default/component/x")).status_code == 404
    server.docs.failure = status(grpc.StatusCode.FAILED_PRECONDITION, "told", "NO_DOCS_SOURCE")
    assert (await client.head("/sync/default/component/x")).status_code == 200
    assert not server.builds.stream_requests


async def test_answers_that_may_depend_on_the_caller_stay_out_of_shared_caches(
    bridge: Bridge, client: httpx.AsyncClient
) -> None:
    assert (await client.get(METADATA)).headers["cache-control"] == "private, no-cache"
    assert (await client.get("/openapi.json")).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(("path", "url"), [("", "/"), ("/", "/"), ("?a=b", "/?a=b"), ("/nothing?a", "/nothing?a")])
async def test_errors_name_the_request_as_it_is_below_the_mount(bridge: Bridge, path: str, url: str) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.get(bridge.api + path)
    assert (answer.status_code, answer.json()["request"]) == (404, {"method": "GET", "url": url})


@pytest.mark.parametrize("path", ["readiness", "liveness"])
async def test_health_is_where_backstage_has_it(bridge: Bridge, server: Server, path: str) -> None:
    async with httpx.AsyncClient(base_url=bridge.url) as client:
        answer = await client.get(f"/.backstage/health/v1/{path}")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.fixture
def tokens(server: Server) -> Tokens:
    return server.tokens


EXPIRES = datetime(2026, 11, 24, 18, 0, 0, 250_000, UTC)


def good_token(tokens: Tokens, *, renewed: bool = True) -> None:
    moment = Timestamp()
    moment.FromDatetime(EXPIRES)
    token = "head.body.proof" if renewed else ""
    tokens.response = auth_pb2.CreateLimitedTokenResponse(token=token, expire_time=moment, renewed=renewed)


async def test_cookie_is_made_for_the_host_that_browsers_know(server: Server, tokens: Tokens) -> None:
    good_token(tokens)
    async with (
        running_bridge(server.target, external_url="https://backstage.example.com:8443/x") as bridge,
        httpx.AsyncClient(base_url=bridge.api) as client,
    ):
        answer = await client.get(COOKIE, headers={"authorization": "Bearer user"})
    assert (answer.status_code, answer.json()) == (200, {"expiresAt": "2026-11-24T18:00:00.250Z"})
    (cookie,) = answer.headers.get_list("set-cookie")
    assert cookie == (
        "backstage-auth=head.body.proof; Domain=backstage.example.com; Path=/; Expires=Tue, 24 Nov 2026 18:00:00 GMT; "
        "HttpOnly; Secure; Priority=High; SameSite=None"
    )
    assert answer.headers["cache-control"] == "no-store"
    assert tokens.requests == [("Bearer user", "")]


@pytest.mark.parametrize(
    ("external_url", "host", "ending"),
    [
        ("http://backstage.test", "x.test", "Domain=backstage.test; Path=/; "),
        ("http://localhost:7007", "x.test", "Domain=localhost; Path=/; "),
        ("", "localhost:7007", "Path=/; "),
        ("", "docs.test", "Path=/; "),
    ],
)
async def test_cookie_is_secure_where_browsers_take_such(
    server: Server, tokens: Tokens, external_url: str, host: str, ending: str
) -> None:
    good_token(tokens)
    async with (
        running_bridge(server.target, external_url=external_url) as bridge,
        httpx.AsyncClient(base_url=bridge.api) as client,
    ):
        answer = await client.get(COOKIE, headers={"host": host})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"backstage-auth=head.body.proof; {ending}Expires=")
    secure = "localhost" in (external_url or host)
    assert cookie.endswith(
        "HttpOnly; Secure; Priority=High; SameSite=None" if secure else "HttpOnly; Priority=High; SameSite=Lax"
    )


async def test_held_cookie_that_is_good_is_not_sent_again(client: httpx.AsyncClient, tokens: Tokens) -> None:
    good_token(tokens, renewed=False)
    headers = {"authorization": "Bearer user", "cookie": "a=b; backstage-auth=held.token.x"}
    answer = await client.get(COOKIE, headers=headers)
    assert (answer.status_code, answer.json()["expiresAt"]) == (200, "2026-11-24T18:00:00.250Z")
    assert "set-cookie" not in answer.headers
    assert tokens.requests == [("Bearer user", "held.token.x")]


async def test_cookie_alone_gets_and_deletes_no_cookie(client: httpx.AsyncClient, tokens: Tokens) -> None:
    tokens.failure = status(grpc.StatusCode.UNAUTHENTICATED, "Missing credentials", "TOKEN_INVALID")
    for method in ("GET", "DELETE"):
        answer = await client.request(method, COOKIE, headers={"cookie": "backstage-auth=held.token.x"})
        assert (answer.status_code, answer.json()["error"]["message"]) == (401, "Missing credentials")
        assert answer.json()["error"]["name"] == "AuthenticationError"
        assert answer.json()["request"]["url"] == COOKIE
        assert "set-cookie" not in answer.headers
    assert [sent for sent, _ in tokens.requests] == ["", ""]


async def test_service_gets_no_cookie_and_may_delete_one(client: httpx.AsyncClient, tokens: Tokens) -> None:
    tokens.failure = status(grpc.StatusCode.PERMISSION_DENIED, "not for services", "ACCESS_DENIED")
    refused = await client.get(COOKIE, headers={"authorization": "Bearer service"})
    assert (refused.status_code, refused.json()["error"]["name"]) == (403, "NotAllowedError")
    deleted = await client.delete(COOKIE, headers={"authorization": "Bearer service"})
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert deleted.headers["set-cookie"].startswith("backstage-auth=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT;")


async def test_server_that_wants_no_credentials_has_no_cookie(client: httpx.AsyncClient, tokens: Tokens) -> None:
    assert (await client.get(COOKIE)).status_code == 404
    assert (await client.post(COOKIE)).status_code == 405


@pytest.mark.parametrize(
    ("headers", "sent"),
    [
        ([("cookie", "backstage-auth=t.o.k")], "Bearer t.o.k"),
        ([("cookie", 'a=1; backstage-auth="t.o.k"; b=2')], "Bearer t.o.k"),
        ([("cookie", "backstage-auth=first; backstage-auth=second")], "Bearer first"),
        ([("cookie", "a=1"), ("cookie", "backstage-auth=t.o.k")], "Bearer t.o.k"),
        ([("cookie", "backstage-auth=good"), ("authorization", "Bearer bad")], "Bearer bad"),
        ([("cookie", "backstage-auth=good"), ("authorization", "bearer   bad")], "Bearer bad"),
        ([("cookie", "backstage-auth=good"), ("authorization", "Basic dTpw")], "Bearer good"),
        ([("cookie", "backstage-auth=good"), ("authorization", "Bearer")], "Bearer good"),
        ([("authorization", "Basic dTpw")], ""),
        ([("cookie", "Backstage-Auth=t.o.k")], ""),
        ([("cookie", "xbackstage-auth=t.o.k")], ""),
        ([("cookie", "backstage-auth=a b")], ""),
        ([("cookie", 'backstage-auth="')], ""),
        ([("cookie", "backstage-auth=" + "a" * 7000)], ""),
        ([("cookie", "backstage-auth=t\tx-admin: 1")], ""),
    ],
)
async def test_cookie_is_the_credential_of_contents_when_there_is_no_bearer_token(
    server: Server, client: httpx.AsyncClient, headers: list[tuple[str, str]], sent: str
) -> None:
    server.docs.files = {"index.html": ("text/html", b"page")}
    for path in ("/static/docs/default/component/x/index.html", "/docs/default/component/x/"):
        for method in ("GET", "HEAD"):
            assert (await client.request(method, path, headers=headers)).status_code == 200
            assert server.docs.metadata[-1].get("authorization", "") == sent


async def test_cookie_is_no_credential_of_anything_else(server: Server, client: httpx.AsyncClient) -> None:
    await client.get(METADATA, headers={"cookie": "backstage-auth=t.o.k"})
    assert server.docs.metadata
    assert all("authorization" not in sent for sent in server.docs.metadata)


async def test_two_authorizations_are_refused(bridge: Bridge) -> None:
    answer = await bridge.get(MOUNT + METADATA, "authorization: Bearer a", "authorization: Bearer b")
    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_large_document_is_gzip_for_who_takes_it(bridge: Bridge) -> None:
    async with httpx.AsyncClient(base_url=bridge.url) as client:
        plain = await client.get("/openapi.json", headers={"accept-encoding": "identity"})
        encoded = await client.get("/openapi.json", headers={"accept-encoding": "br;q=1, gzip;q=0.5"})
        refused = await client.get("/openapi.json", headers={"accept-encoding": "gzip;q=0, identity"})
        held = await client.get(
            "/openapi.json", headers={"accept-encoding": "gzip", "if-none-match": encoded.headers["etag"]}
        )
        other = await client.get(
            "/openapi.json", headers={"accept-encoding": "gzip", "if-none-match": plain.headers["etag"]}
        )
    raw = await bridge.get("/openapi.json", "accept-encoding: gzip")
    head, _, body = raw.partition(b"\r\n\r\n")
    assert gzip.decompress(body) == plain.content == encoded.content
    assert f"content-length: {len(body)}".encode() in head
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in refused.headers
    assert encoded.headers["content-encoding"] == "gzip"
    assert plain.headers["etag"] != encoded.headers["etag"]
    assert all("accept-encoding" in answer.headers["vary"] for answer in (plain, encoded, refused, held))
    assert (held.status_code, other.status_code) == (304, 200)


async def test_head_of_an_encoded_document_is_that_of_get(bridge: Bridge) -> None:
    get = (await bridge.get("/openapi.json", "accept-encoding: gzip")).partition(b"\r\n\r\n")[0]
    head = (await bridge.get("/openapi.json", "accept-encoding: gzip", method="HEAD")).partition(b"\r\n\r\n")
    assert head[2] == b""

    def lines(text: bytes) -> set[bytes]:
        return {line for line in text.split(b"\r\n") if not line.startswith((b"date", b"x-request-id"))}

    assert lines(get) == lines(head[0])
