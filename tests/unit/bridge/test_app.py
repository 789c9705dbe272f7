"""What every request through a real bridge gets."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator

import grpc
import httpx
import pytest
from google.protobuf import any_pb2
from google.rpc import status_pb2
from grpc_health.v1 import health_pb2
from techdocs.v1 import builds_pb2

from tests.support.waiting import eventually
from tests.unit.bridge.real_bridge import MOUNT, Bridge, Context, Server, running_bridge, running_server
from tests.unit.bridge.statuses import status

METADATA = "/metadata/techdocs/default/component/x"
SITE = "/v1/sites/default/component/x"


async def test_unary_method_answers_with_json_and_a_strong_tag(client: httpx.AsyncClient) -> None:
    answer = await client.get(METADATA)
    assert answer.json()["site_name"] == "Docs of x"
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"
    held = await client.get(METADATA, headers={"if-none-match": f'"x", W/{answer.headers["etag"]}'})
    assert (held.status_code, held.content) == (304, b"")
    assert "content-security-policy" not in held.headers


async def test_head_is_get_without_a_body(bridge: Bridge) -> None:
    get = await bridge.get(MOUNT + METADATA)
    head = await bridge.get(MOUNT + METADATA, method="HEAD")
    assert head.endswith(b"\r\n\r\n")
    length = next(line for line in get.split(b"\r\n") if line.startswith(b"content-length"))
    assert length in head.split(b"\r\n")


async def test_error_body_is_for_backstage_and_for_google(server: Server, client: httpx.AsyncClient) -> None:
    server.docs.failure = status(grpc.StatusCode.NOT_FOUND, "nothing published", "SITE_NOT_FOUND", entity="c:d/x")
    answer = await client.get(f"{METADATA}?revision=&", headers={"x-request-id": "abc-12345"})
    assert answer.status_code == 404
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "error": {
            "name": "NotFoundError",
            "message": "Unable to get metadata for 'component:default/x'; caused by NotFoundError: nothing published",
            "cause": {"name": "NotFoundError", "message": "nothing published"},
            "code": 404,
            "status": "NOT_FOUND",
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "SITE_NOT_FOUND",
                    "domain": "techdocs",
                    "metadata": {"entity": "c:d/x"},
                },
                {"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": "abc-12345"},
            ],
        },
        "request": {"method": "GET", "url": "/metadata/techdocs/default/component/x?revision=&"},
        "response": {"statusCode": 404},
    }


async def test_defect_is_told_by_request_id_and_explained_in_the_log(
    server: Server, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    server.docs.failure = status(grpc.StatusCode.UNKNOWN, "secret text")
    with caplog.at_level(logging.INFO, "techdocs.bridge"):
        answer = await client.get(METADATA, headers={"x-request-id": "abc-12345"})
    assert answer.status_code == 500
    assert "abc-12345" in answer.json()["error"]["message"]
    assert "secret" not in answer.text
    logged = next(record for record in caplog.records if record.getMessage() == "call_failed")
    assert logged.__dict__["request_id"] == "abc-12345"
    assert "secret text" in logged.__dict__["problem"]


async def test_request_has_one_log_line_with_what_one_asks_for(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "techdocs.bridge.access"):
        answer = await client.get(f"{METADATA}?revision=&")
        await eventually(lambda: caplog.records, what="the request is logged")
    (record,) = caplog.records
    assert record.getMessage() == "http_request"
    data = record.__dict__
    assert data["request_id"] == answer.headers["x-request-id"]
    assert (data["method"], data["path"], data["status"]) == ("GET", MOUNT + METADATA, 200)
    assert data["route"] == "techdocs.v1.DocsService.GetSiteMetadata"
    assert (data["sent_bytes"], data["complete"]) == (len(answer.content), True)


@pytest.mark.parametrize("given", ["short", "a" * 65, "bad_sign!", "ümlaut-12345"])
async def test_request_id_that_is_none_of_ours_is_replaced(bridge: Bridge, given: str) -> None:
    answer = await bridge.get("/healthz", f"x-request-id: {given}")
    assert given.encode() not in answer
    assert b"x-request-id: " in answer


async def test_request_id_and_authorization_reach_the_server_and_nothing_else_does(
    server: Server, client: httpx.AsyncClient
) -> None:
    headers = {"x-request-id": "abc-12345", "authorization": "Bearer t", "cookie": "c=1", "x-goog-user": "root"}
    answer = await client.get(METADATA, headers=headers)
    assert answer.headers["x-request-id"] == "abc-12345"
    metadata = server.docs.metadata[0]
    assert (metadata["x-request-id"], metadata["authorization"]) == ("abc-12345", "Bearer t")
    assert set(metadata) <= {"x-request-id", "authorization", "user-agent", "accept-encoding"}


@pytest.mark.parametrize(("token", "code"), [("ü", 400), ("x" * 7000, 431)])
async def test_authorization_that_grpc_cannot_carry_is_refused(bridge: Bridge, token: str, code: int) -> None:
    answer = await bridge.get(MOUNT + METADATA, f"authorization: Bearer {token}")
    assert answer.startswith(f"HTTP/1.1 {code} ".encode())


@pytest.mark.parametrize(
    "path", ["/", "/api", "/api/techdocs", "/api/techdocs/none", "/metadata/techdocs/a/b/c/d", "/%0a"]
)
async def test_unknown_path_is_404_in_json(bridge: Bridge, path: str) -> None:
    answer = await bridge.get(path)
    assert answer.startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 400 "))
    body = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert body["request"]["url"] == path.removeprefix("/api/techdocs") if path.startswith("/api/techdocs/") else path


async def test_wrong_method_is_405_and_says_the_right_ones(client: httpx.AsyncClient) -> None:
    answer = await client.put(SITE)
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET, HEAD, OPTIONS")
    assert answer.json()["error"]["name"] == "MethodNotAllowedError"
    assert (await client.post("/openapi.json")).headers["allow"] == "GET, HEAD, OPTIONS"


async def test_options_says_the_methods(client: httpx.AsyncClient) -> None:
    answer = await client.options("/sync/default/component/x")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["allow"] == "GET, HEAD, POST, OPTIONS"


async def test_body_over_the_limit_is_refused_announced_or_not(server: Server) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 10

    async with running_bridge(server.target, max_body_bytes=100) as bridge, httpx.AsyncClient() as client:
        url = f"{bridge.api}/v1/builds"
        announced = await client.post(url, content=b"x" * 101, headers={"content-type": "application/json"})
        streamed = await client.post(url, content=chunks(), headers={"content-type": "application/json"})
        assert (announced.status_code, streamed.status_code) == (413, 413)
        assert "100 bytes" in streamed.json()["error"]["message"]
        huge = b"POST /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 9999999999999999999\r\n\r\n"
        assert (await bridge.raw(huge)).startswith(b"HTTP/1.1 413 ")


async def test_body_that_does_not_come_is_given_up(server: Server) -> None:
    async with running_bridge(server.target, client_timeout_seconds=0.2) as bridge:
        head = b"POST /api/techdocs/v1/builds HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 9\r\n\r\n{"
        assert (await bridge.raw(head)).startswith(b"HTTP/1.1 408 ")


async def test_body_of_another_type_or_encoding_is_415(client: httpx.AsyncClient) -> None:
    xml = await client.post("/v1/builds", content=b"<a/>", headers={"content-type": "text/xml"})
    packed = await client.post(
        "/v1/builds", content=b"{}", headers={"content-type": "application/json", "content-encoding": "gzip"}
    )
    assert (xml.status_code, packed.status_code) == (415, 415)


async def test_server_that_cannot_be_reached_is_503_in_words(server: Server, client: httpx.AsyncClient) -> None:
    await server.server.stop(None)
    answer = await client.get(METADATA)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["error"]["message"] == "the TechDocs server cannot be reached; try again"
    assert "127.0.0.1" not in answer.text


async def test_idempotent_call_is_tried_again_once_when_the_server_was_going(
    server: Server, client: httpx.AsyncClient
) -> None:
    draining = status(grpc.StatusCode.UNAVAILABLE, "going", "SERVER_DRAINING")
    server.sites.failures = [draining]
    assert (await client.get(SITE)).json()["title"] == "A site"
    assert server.sites.calls == 2
    server.sites.failures = [draining, draining]
    answer = await client.get(SITE)
    assert (answer.status_code, answer.json()["error"]["message"], server.sites.calls) == (503, "going", 4)


async def test_reader_waits_out_a_restart_of_the_server(server: Server, client: httpx.AsyncClient) -> None:
    assert (await client.get(METADATA)).status_code == 200
    port = int(server.target.rpartition(":")[2])
    await server.server.stop(None)
    answer = asyncio.create_task(client.get(METADATA))
    async with running_server(port):
        assert (await answer).status_code == 200


async def test_call_that_changes_things_is_tried_once(server: Server, client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/builds", json={"entity": {"kind": "a", "name": "b"}})).status_code == 500
    await server.server.stop(None)
    answer = await client.post("/v1/builds", json={"entity": {"kind": "a", "name": "b"}})
    assert answer.status_code == 503


async def test_call_that_outlives_its_deadline_is_504(server: Server) -> None:
    async def sync(request: builds_pb2.SyncSiteRequest, context: object) -> builds_pb2.SyncSiteResponse:
        await asyncio.Event().wait()
        raise AssertionError

    server.builds.sync = sync
    async with running_bridge(server.target, sync_deadline_seconds=0.2) as bridge, httpx.AsyncClient() as client:
        answer = await client.post(f"{bridge.api}/sync/default/component/x")
        assert (answer.status_code, answer.json()["error"]["name"]) == (504, "DeadlineExceededError")


async def test_client_that_leaves_cancels_its_call(server: Server, bridge: Bridge) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def sync(request: builds_pb2.SyncSiteRequest, context: object) -> builds_pb2.SyncSiteResponse:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    server.builds.sync = sync
    _, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
    writer.write(b"POST /api/techdocs/sync/default/component/x HTTP/1.1\r\nhost: x\r\n\r\n")
    await asyncio.wait_for(begun.wait(), 10)
    writer.close()
    await asyncio.wait_for(cancelled.wait(), 10)


async def test_too_many_requests_are_refused_and_probes_are_not(server: Server) -> None:
    release = asyncio.Event()
    begun = asyncio.Event()

    async def sync(request: builds_pb2.SyncSiteRequest, context: object) -> builds_pb2.SyncSiteResponse:
        begun.set()
        await release.wait()
        return builds_pb2.SyncSiteResponse(message="done")

    server.builds.sync = sync
    async with running_bridge(server.target, max_concurrent_requests=1) as bridge, httpx.AsyncClient() as client:
        first = asyncio.create_task(client.post(f"{bridge.api}/sync/default/component/x", timeout=10))
        await asyncio.wait_for(begun.wait(), 10)
        refused = await client.get(bridge.api + METADATA)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["error"]["details"][0]["reason"] == "SERVER_OVERLOADED"
        assert (await client.get(f"{bridge.api}/static/docs/default/component/x/index.html")).status_code == 500
        assert (await client.get(f"{bridge.url}/healthz")).status_code == 200
        release.set()
        assert (await first).json()["message"] == "done"
        assert (await client.get(bridge.api + METADATA)).status_code == 200


def event(sequence: int) -> builds_pb2.WatchBuildResponse:
    return builds_pb2.WatchBuildResponse(event=builds_pb2.BuildEvent(sequence=sequence))


async def test_stream_without_a_form_of_its_own_is_one_json_object_a_line(
    server: Server, client: httpx.AsyncClient
) -> None:
    async def watch(
        request: builds_pb2.WatchBuildRequest, context: object
    ) -> AsyncIterator[builds_pb2.WatchBuildResponse]:
        for sequence in (request.after_sequence + 1, request.after_sequence + 2):
            yield event(sequence)

    server.builds.watch = watch
    answer = await client.get("/v1/builds/b-1:watch?after_sequence=3")
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line)["event"]["sequence"] for line in answer.text.splitlines()] == ["4", "5"]
    assert (await client.head("/v1/builds/b-1:watch")).headers["content-type"] == "application/x-ndjson"


async def test_stream_that_fails_first_is_an_error_and_one_that_fails_later_is_broken_off(
    server: Server, bridge: Bridge
) -> None:
    gone = status(grpc.StatusCode.NOT_FOUND, "no build", "BUILD_NOT_FOUND")

    async def watch(
        request: builds_pb2.WatchBuildRequest, context: Context
    ) -> AsyncIterator[builds_pb2.WatchBuildResponse]:
        if request.after_sequence:
            yield event(1)
        await context.abort_with_status(gone)

    server.builds.watch = watch
    early = await bridge.get(f"{MOUNT}/v1/builds/b-1:watch")
    late = await bridge.get(f"{MOUNT}/v1/builds/b-1:watch?after_sequence=1")
    assert early.startswith(b"HTTP/1.1 404 ")
    assert late.startswith(b"HTTP/1.1 200 ")
    assert b'"sequence":"1"' in late
    assert not late.endswith(b"0\r\n\r\n")


async def test_message_that_has_no_json_form_is_a_defect(server: Server, client: httpx.AsyncClient) -> None:
    async def watch(
        request: builds_pb2.WatchBuildRequest, context: object
    ) -> AsyncIterator[builds_pb2.WatchBuildResponse]:
        message = event(1)
        unknown = any_pb2.Any(type_url="type.googleapis.com/some.Unknown", value=b"\xff")
        message.event.state_change.error.CopyFrom(status_pb2.Status(code=1, details=[unknown]))
        yield message

    server.builds.watch = watch
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get("/v1/builds/b-1:watch")


async def test_openapi_document_is_at_the_root_and_under_the_mount(bridge: Bridge) -> None:
    async with httpx.AsyncClient(base_url=bridge.url) as client:
        document = await client.get("/openapi.json")
        assert document.json()["openapi"].startswith("3.1")
        assert document.json()["servers"][0]["url"] == MOUNT
        assert (await client.get(f"{MOUNT}/openapi.json")).content == document.content
        held = {"if-none-match": document.headers["etag"]}
        assert (await client.get("/openapi.json", headers=held)).status_code == 304
        assert (await client.head("/openapi.json")).status_code == 200


async def test_ready_is_what_the_server_says_of_itself(server: Server, bridge: Bridge) -> None:
    async with httpx.AsyncClient(base_url=bridge.url) as client:
        assert (await client.get("/readyz")).status_code == 200
        await server.health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)

        async def denied() -> bool:
            return (await client.get("/readyz")).status_code == 503

        await eventually(denied, what="readiness is denied")
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        await server.health.set("", health_pb2.HealthCheckResponse.SERVING)

        async def given() -> bool:
            return (await client.get("/readyz")).status_code == 200

        await eventually(given, what="readiness is given again")
        await server.server.stop(None)
        await eventually(denied, what="readiness is denied without a server")


async def test_bridge_of_another_mount_lives_there(server: Server) -> None:
    async with running_bridge(server.target, mount="/docs-api") as bridge, httpx.AsyncClient() as client:
        assert (await client.get(f"{bridge.url}/docs-api{METADATA}")).status_code == 200
        assert (await client.get(f"{bridge.url}/docs-api/openapi.json")).status_code == 200
        answer = await client.get(f"{bridge.url}/docs-api/none")
        assert (answer.status_code, answer.json()["request"]["url"]) == (404, "/none")
