"""Every reason of the contract, brought about for real and answered over REST as docs/errors.md has it."""

from __future__ import annotations

import asyncio
import math
import re
import sqlite3
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import closing
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from techdocs.v1 import errors_pb2

from tests.conformance.error_stage import Stage, staged
from tests.conformance.problems import check_problem, detail
from tests.support.ports import free_port
from tests.support.published import MOUNT, site_path
from tests.support.services import running
from tests.support.token_issuers import Issuer
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

_TABLE = (Path(__file__).parents[2] / "docs/errors.md").read_text("utf-8")
DOCUMENTED: Mapping[str, tuple[str, int]] = {
    reason: (code, int(status))
    for reason, code, status in re.findall(r"^\| `([A-Z_]+)` \| `([A-Z_]+)` \| (\d{3}) \|", _TABLE, re.MULTILINE)
}
NEVER = "f" * 64
DEMO = "/v1/sites/default/component/demo"
HELD = "/sync/default/component/held"


async def field_invalid(stage: Stage) -> httpx.Response:
    return await stage.client.get("/v1/builds?page_size=-1")


async def page_token_invalid(stage: Stage) -> httpx.Response:
    return await stage.client.get("/v1/sites?pageToken=never-given")


async def range_not_satisfiable(stage: Stage) -> httpx.Response:
    return await stage.client.get(site_path(path="assets/data.json"), headers={"range": "bytes=1000-"})


async def request_id_reused(stage: Stage) -> httpx.Response:
    body = {"entity": {"kind": "component", "name": "demo"}, "requestId": str(uuid.uuid4())}
    first = await stage.client.post("/v1/builds", json=body)
    assert first.status_code == 200, first.text
    return await stage.client.post("/v1/builds", json={**body, "entity": {"kind": "component", "name": "unbuilt"}})


async def entity_not_found(stage: Stage) -> httpx.Response:
    return await stage.client.post("/sync/default/component/nobody")


async def site_not_found(stage: Stage) -> httpx.Response:
    return await stage.client.get("/v1/sites/default/component/unbuilt")


async def revision_not_found(stage: Stage) -> httpx.Response:
    return await stage.client.get(f"{DEMO}/revisions/{NEVER}")


async def content_not_found(stage: Stage) -> httpx.Response:
    return await stage.client.get(f"{DEMO}/content/no/such.png")


async def build_not_found(stage: Stage) -> httpx.Response:
    return await stage.client.post("/v1/builds/never-was:cancel")


async def no_docs_source(stage: Stage) -> httpx.Response:
    return await stage.client.post("/sync/default/component/sourceless")


async def build_in_progress(stage: Stage) -> httpx.Response:
    async with stage.closed_gate():
        waiting, _ = await stage.waiting_sync("held")
        refused = await stage.client.delete("/v1/sites/default/component/held")
    assert (await waiting).status_code == 200
    return refused


async def revision_is_current(stage: Stage) -> httpx.Response:
    current = (await stage.client.get(DEMO)).json()["currentRevision"]
    return await stage.client.delete(f"{DEMO}/revisions/{current}")


async def revision_pinned(stage: Stage) -> httpx.Response:
    moved = "/v1/sites/default/component/moved"
    revisions = (await stage.client.get(f"{moved}/revisions")).json()["revisions"]
    other = next(revision["revision"] for revision in revisions if not revision["current"])
    pinned = await stage.client.post(f"{moved}/revisions/{other}:pin", json={})
    assert pinned.status_code == 200, pinned.text
    try:
        return await stage.client.delete(f"{moved}/revisions/{other}")
    finally:
        await stage.client.post(f"{moved}/revisions/{other}:unpin", json={})


async def collection_running(stage: Stage) -> httpx.Response:
    # What a collector that died was about to delete makes the next one wait for some seconds.
    with closing(sqlite3.connect(stage.deployment.data / "records.sqlite3")) as database, database:
        database.execute("INSERT OR IGNORE INTO doomed_blobs (sha256) VALUES (?)", [NEVER])
    collect = [stage.client.post("/v1/garbage:collect", json={"dryRun": True}) for _ in range(2)]
    answers = await asyncio.gather(*collect)
    assert sorted(answer.status_code == 200 for answer in answers) == [False, True]
    return next(answer for answer in answers if answer.status_code != 200)


async def etag_mismatch(stage: Stage) -> httpx.Response:
    return await stage.client.delete(f"{DEMO}?etag=of-another-state")


async def revision_conflict(stage: Stage) -> httpx.Response:
    stage.deployment.catalog.write("moved", "index.md", f"# Moved {uuid.uuid4()}\n")
    return await sync_overtaken_by_rollback(stage)


async def build_cancelled(stage: Stage) -> httpx.Response:
    async with stage.closed_gate():
        waiting, build = await stage.waiting_sync("held")
        cancelled = await stage.client.post(f"/v1/{build}:cancel")
        assert cancelled.status_code == 200, cancelled.text
        return await waiting


async def build_failed(stage: Stage) -> httpx.Response:
    return await stage.client.post("/sync/default/component/broken")


async def server_overloaded(stage: Stage) -> httpx.Response:
    async with stage.all_calls_taken():
        return await stage.client.get(DEMO)


async def build_queue_full(stage: Stage) -> httpx.Response:
    async with stage.closed_gate():
        waiting, _ = await stage.waiting_sync("held")
        second = await stage.client.post("/v1/builds", json={"entity": {"kind": "component", "name": "demo"}})
        assert second.json()["state"] == "BUILD_STATE_QUEUED"
        refused = await stage.client.post("/sync/default/component/unbuilt")
    assert (await waiting).status_code == 200
    return refused


async def quota_exceeded(stage: Stage) -> httpx.Response:
    return await stage.client.post("/sync/default/component/huge")


async def storage_unavailable(stage: Stage) -> httpx.Response:
    aside = stage.blobs.with_name("blobs-elsewhere")
    stage.blobs.rename(aside)
    try:
        return await stage.client.get(site_path(path="assets/big.bin"))
    finally:
        aside.rename(stage.blobs)


async def catalog_unavailable(stage: Stage) -> httpx.Response:
    descriptor = stage.deployment.catalog.folder / "fragile" / "catalog-info.yaml"
    whole = descriptor.read_text()
    stage.deployment.catalog.break_descriptor("fragile")

    async def refusal() -> list[httpx.Response]:
        answer = await stage.client.get("/metadata/entity/default/component/fragile")
        return [answer] if answer.status_code != 200 else []

    try:
        (answer,) = await eventually(refusal, what="the catalog was read again")
    finally:
        descriptor.write_text(whole)
    return answer


async def server_draining(stage: Stage) -> httpx.Response:
    async with stage.closed_gate(), stage.another_bridge(server_drain_seconds=1) as (bridge, client):
        waiting, _ = await stage.waiting_sync("held", client)
        await bridge.terminate()
        return await waiting


async def deadline_exceeded(stage: Stage) -> httpx.Response:
    # A bridge waits for a sync half as long again as a build may take.
    async with stage.closed_gate(), stage.another_bridge(build_timeout_seconds=0.2) as (_, client):
        return await client.post(f"{HELD}?force=true")


async def content_corrupt(stage: Stage) -> httpx.Response:
    digest = await stage.digest_of("assets/big.bin")
    blob = stage.blobs / digest[:2] / digest[2:]
    whole = blob.read_bytes()
    blob.write_bytes(whole[:-1])
    try:
        return await stage.client.get(f"{DEMO}/content/assets/big.bin?readLimit=10")
    finally:
        blob.write_bytes(whole)


async def internal(stage: Stage) -> httpx.Response:
    (*_, name) = await stage.builds("SUCCEEDED")
    with closing(sqlite3.connect(stage.deployment.data / "records.sqlite3")) as database:
        change = "UPDATE builds SET state = ? WHERE id = ?"
        identity = name.removeprefix("builds/")
        with database:
            database.execute(change, ["no such state", identity])
        try:
            return await stage.client.get(f"/v1/{name}")
        finally:
            with database:
                database.execute(change, ["succeeded", identity])


async def publish_disabled(stage: Stage) -> httpx.Response:
    body = {"entity": {"kind": "component", "name": "demo"}, "digests": [{"sha256": NEVER, "sizeBytes": "1"}]}
    with tempfile.TemporaryDirectory() as folder:
        async with (
            running("serve", Path(folder), publish_enabled=False) as closed,
            httpx.AsyncClient(base_url=closed.rest + stage.mount) as client,
        ):
            return await client.post("/v1/blobs:findMissing", json=body)


READER = "a-reader-of-docs"


async def asked_who(stage: Stage, method: str, path: str, token: str = "") -> httpx.Response:
    """Call a service that asks who calls, and trusts a Backstage that is not there, with a token or with none."""
    settings = {
        "authentication": "backstage",
        "backstage_url": f"http://127.0.0.1:{free_port()}",
        "external_access": [{"type": "static", "token": READER, "subject": "reader"}],
    }
    headers = {"authorization": f"Bearer {token}"} if token else {}
    with tempfile.TemporaryDirectory() as folder:
        async with (
            running("serve", Path(folder), **settings) as closed,
            httpx.AsyncClient(base_url=closed.rest + stage.mount, headers=headers) as client,
        ):
            return await client.request(method, path)


async def token_invalid(stage: Stage) -> httpx.Response:
    answer = await asked_who(stage, "GET", DEMO)
    assert answer.headers["www-authenticate"] == "Bearer"
    return answer


async def access_denied(stage: Stage) -> httpx.Response:
    return await asked_who(stage, "DELETE", DEMO, READER)


async def authentication_unavailable(stage: Stage) -> httpx.Response:
    now = int(time.time())
    claims = {"sub": "user:default/alice", "iat": now, "exp": now + 60}
    return await asked_who(stage, "GET", DEMO, Issuer().sign({"typ": "vnd.backstage.user"}, claims))


async def sync_overtaken_by_rollback(stage: Stage) -> httpx.Response:
    """Build moved, and make another of its revisions current before the build publishes."""
    site = "/v1/sites/default/component/moved"
    revisions = (await stage.client.get(f"{site}/revisions")).json()["revisions"]
    other = next(revision["revision"] for revision in revisions if not revision["current"])
    async with stage.closed_gate():
        waiting, _ = await stage.waiting_sync("moved")
        moved = await stage.client.post(f"{site}:rollback", json={"revision": other})
        assert moved.status_code == 200, moved.text
    return await waiting


PRODUCERS: Mapping[str, Callable[[Stage], Awaitable[httpx.Response]]] = {
    producer.__name__.upper(): producer
    for producer in (
        field_invalid, page_token_invalid, range_not_satisfiable, request_id_reused, entity_not_found, site_not_found,
        revision_not_found, content_not_found, build_not_found, no_docs_source, build_in_progress, etag_mismatch,
        revision_is_current, revision_pinned, collection_running,
        revision_conflict, build_cancelled, build_failed, server_overloaded, build_queue_full, quota_exceeded,
        storage_unavailable, catalog_unavailable, server_draining, deadline_exceeded, content_corrupt, internal,
        publish_disabled, token_invalid, access_denied, authentication_unavailable,
    )
}  # fmt: skip


STREAM_ONLY = {"STREAM_ORDER_INVALID", "MANIFEST_INVALID", "DIGEST_MISMATCH", "BLOBS_MISSING"}
"""Reasons of the client stream, which REST does not have; tests/unit/rpc brings them about."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def make_stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Callable[[str], Awaitable[Stage]]]:
    async with staged(tmp_path_factory.mktemp("errors")) as make:
        yield make


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["", MOUNT], ids=["root", "mount"])
async def stage(make_stage: Callable[[str], Awaitable[Stage]], request: pytest.FixtureRequest) -> Stage:
    return await make_stage(request.param)


async def test_every_reason_is_documented_and_brought_about() -> None:
    names = set(errors_pb2.ErrorReason.keys()) - {"ERROR_REASON_UNSPECIFIED"}
    assert {f"ERROR_REASON_{reason}" for reason in DOCUMENTED} == names
    assert set(PRODUCERS) | STREAM_ONLY == set(DOCUMENTED)
    assert not set(PRODUCERS) & STREAM_ONLY


METADATA: Mapping[str, set[str]] = {
    "BUILD_FAILED": {"entity", "build", "phase"},
    "BUILD_CANCELLED": {"entity", "build"},
    "BUILD_IN_PROGRESS": {"entity", "build"},
    "BUILD_NOT_FOUND": {"build"},
    "CONTENT_NOT_FOUND": {"entity", "revision"},
    "ENTITY_NOT_FOUND": {"entity"},
    "ETAG_MISMATCH": {"entity", "etag"},
    "RANGE_NOT_SATISFIABLE": {"size_bytes"},
    "SITE_NOT_FOUND": {"entity"},
}
"""What programs find in ErrorInfo to act on."""


@pytest.mark.parametrize("reason", PRODUCERS)
async def test_reason_is_answered_as_documented(stage: Stage, reason: str) -> None:
    await stage.quiet()
    answer = await PRODUCERS[reason](stage)
    await stage.quiet()

    code, status = DOCUMENTED[reason]
    url = answer.request.url.raw_path.decode().removeprefix(stage.mount)
    info = check_problem(answer, status=status, reason=reason, code=code, method=answer.request.method, url=url)
    assert METADATA.get(reason, set()) <= set(info.get("metadata", {}))
    assert ("retry-after" in answer.headers) == (status in (429, 503))
    for each in answer.json()["error"]["details"]:
        if each["@type"].endswith(".RetryInfo"):
            delay = float(each["retryDelay"].removesuffix("s"))
            assert int(answer.headers["retry-after"]) == max(1, math.ceil(delay))
    if status == 416:
        assert answer.headers["content-range"] == f"bytes */{info['metadata']['size_bytes']}"


async def test_field_violations_name_the_field_and_its_rule(stage: Stage) -> None:
    answer = await stage.client.get("/v1/sites/default/1component/demo/contents?pageSize=-1&revision=short")
    found = {each["field"]: each["description"] for each in detail(answer, "BadRequest")["fieldViolations"]}
    assert set(found) == {"entity.kind", "page_size", "revision"}
    assert all(found.values())


async def test_defect_tells_its_id_and_nothing_else(stage: Stage) -> None:
    answer = await internal(stage)
    request_id = answer.headers["x-request-id"]
    assert answer.json()["error"]["message"] == (
        f"something went wrong in the service; its log has the request id {request_id}"
    )
    assert request_id in stage.deployment.server.logged()
    assert "Traceback" in stage.deployment.server.logged()


async def test_build_that_changes_nothing_is_overtaken_too(stage: Stage) -> None:
    await stage.deployment.sync("moved", force=True)
    answer = await sync_overtaken_by_rollback(stage)
    current = (await stage.client.get("/v1/sites/default/component/moved")).json()["currentRevision"]
    conflict = "error" in answer.json() and answer.json()["error"]["details"][0]["reason"] == "REVISION_CONFLICT"
    assert conflict or answer.json()["revision"] == current, "a sync never calls a revision current that is not"
