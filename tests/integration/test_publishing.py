"""Sites from outside, over a real server: on its own disk, and with S3 and PostgreSQL."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from techdocs.v1 import publish_pb2
from techdocs_server.client.failures import failure_of
from techdocs_server.domain.digest import Digest

from tests.support.publish_messages import chunk, chunks, digest_message, header, manifest, whole
from tests.support.publishing import DOCS, PublishingServer, other_stores, publishing
from tests.support.rpc_client import component, problem
from tests.support.waiting import eventually

OTHER = component("other")
LARGE = bytes(range(256)) * 2400
PAGES = {"index.html": b"<h1>one</h1>", "a/index.html": b"a" * 2000, "empty.txt": b"", "large.bin": LARGE}


@pytest.fixture(params=["disk and SQLite", "S3 and PostgreSQL"])
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[PublishingServer]:
    settings: dict[str, Any] = {}
    if request.param == "S3 and PostgreSQL":
        s3, postgresql = request.getfixturevalue("s3_server"), request.getfixturevalue("postgresql_server")
        settings = other_stores(s3, postgresql, prefix=f"{tmp_path.name}/")
    async with publishing(tmp_path, **settings) as running:
        yield running


def completed(messages: list[publish_pb2.PublishSiteRequest]) -> set[str]:
    """Return the contents whose last byte is in these messages."""
    ends = {message.chunk.sha256: message.chunk.offset + len(message.chunk.data) for message in messages}
    sizes = {Digest.of(content).sha256: len(content) for content in PAGES.values()}
    return {sha256 for sha256, size in sizes.items() if ends.get(sha256) == size}


async def test_a_stream_that_is_only_checked_or_stops_shows_nothing_and_what_it_completed_stays(
    server: PublishingServer,
) -> None:
    everything = {Digest.of(content).sha256 for content in PAGES.values()}
    messages = whole(PAGES, header(DOCS))
    assert len(messages) == 8
    checked = await server.publish(whole(PAGES, header(DOCS, validate_only=True)))
    assert (checked.updated, checked.revision.revision) == (True, "")
    assert await server.missing(PAGES) == everything
    for stop in range(len(messages)):
        entity = component(f"stopped-{stop}")
        begun = [header(entity), *messages[1:]][:stop]
        refusal = await problem(server.publish(begun))
        assert refusal.reason in ("STREAM_ORDER_INVALID", "MANIFEST_INVALID", "BLOBS_MISSING")
        assert await server.sites() == []
        missing = await server.missing(PAGES, entity)
        assert missing == everything - completed(begun)
    for stop in (0, 3, 7):
        entity = component(f"stopped-{stop}")
        answer = await server.publish(whole(PAGES, header(entity), sent=await server.missing(PAGES, entity)))
        assert answer.updated
        assert answer.uploaded_bytes + answer.reused_bytes == sum(map(len, PAGES.values()))
        assert (answer.reused_bytes > 0) == (stop > 2)
        for path, content in PAGES.items():
            assert await server.read(path, entity) == content


async def test_nobody_gets_at_contents_of_others_by_their_digests(server: PublishingServer) -> None:
    await server.publish(whole(PAGES, header(OTHER)))
    stolen = {"index.html": b"mine", "stolen.html": PAGES["a/index.html"], "stolen.bin": LARGE}
    hidden = {Digest.of(stolen[path]).sha256 for path in ("stolen.html", "stolen.bin")}
    assert hidden < await server.missing(stolen)
    refusal = await problem(server.publish(whole(stolen, header(DOCS), sent={Digest.of(b"mine").sha256})))
    assert (refusal.reason, refusal.metadata["count"]) == ("BLOBS_MISSING", "2")
    # Nor by sending other bytes for them, which the store would not look at.
    lies = [
        [header(DOCS), manifest(stolen), *(chunk(sent.sha256, at, b"x" * len(data)) for at, data in parts)]
        for content in (LARGE, PAGES["a/index.html"])
        for sent, parts in [(Digest.of(content), [(m.chunk.offset, m.chunk.data) for m in chunks(content)])]
    ]
    for lie in lies:
        assert (await problem(server.publish(lie))).reason == "DIGEST_MISMATCH"
    assert hidden <= await server.missing(stolen)
    assert await server.sites() == ["other"]


async def test_the_outcome_is_remembered_and_only_changes_are_sent(server: PublishingServer) -> None:
    first = await server.publish(whole(PAGES, header(DOCS, request_id="5c8ad2a3-9ac3-4b0f-a3a9-3b7a4b8f0d11")))
    again = await server.publish([header(DOCS, request_id="5C8AD2A3-9AC3-4B0F-A3A9-3B7A4B8F0D11"), manifest(PAGES)])
    assert (again.revision, again.updated, again.uploaded_bytes) == (first.revision, True, 0)
    changed = PAGES | {"index.html": b"<h1>two</h1>"}
    missing = await server.missing(changed)
    assert missing == {Digest.of(b"<h1>two</h1>").sha256}
    revision = first.revision.revision
    second = await server.publish(whole(changed, header(DOCS, expected_revision=revision), sent=missing))
    assert (second.updated, second.uploaded_bytes) == (True, 12)
    assert await server.read("index.html") == b"<h1>two</h1>"
    late = await problem(server.publish(whole(PAGES, header(DOCS, expected_revision=revision), sent=[])))
    assert (late.code, late.reason) == (grpc.StatusCode.ABORTED, "REVISION_CONFLICT")
    reused = await problem(
        server.publish(whole(changed, header(DOCS, request_id="5c8ad2a3-9ac3-4b0f-a3a9-3b7a4b8f0d11")))
    )
    assert (reused.code, reused.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")


async def test_of_two_publishers_over_one_revision_one_loses_and_is_told(tmp_path: Path) -> None:
    async with publishing(tmp_path) as server:
        first = (await server.publish(whole(PAGES, header(DOCS)))).revision.revision
        both_wait = threading.Barrier(2, timeout=30)

        def paced(text: bytes) -> Iterator[publish_pb2.PublishSiteRequest]:
            begin = header(DOCS, expected_revision=first)
            for message in whole(PAGES | {"index.html": text}, begin, sent={Digest.of(text).sha256}):
                yield message
                if message.HasField("header"):
                    both_wait.wait()

        async def outcome(text: bytes) -> str:
            try:
                await server.publish(paced(text))
            except grpc.RpcError as error:
                return failure_of(error).reason
            return "published"

        outcomes = await asyncio.gather(outcome(b"one"), outcome(b"two"))
        assert sorted(outcomes) == ["REVISION_CONFLICT", "published"]
        assert await server.read("index.html") == (b"one" if outcomes[0] == "published" else b"two")


async def test_what_a_killed_server_had_stored_need_not_be_sent_again(tmp_path: Path) -> None:
    async with publishing(tmp_path) as server:
        with pytest.raises(grpc.RpcError):
            await server.publish([*whole(PAGES, header(DOCS), sent={Digest.of(LARGE).sha256})])
        await server.service.kill()
    async with publishing(tmp_path) as server:
        missing = await server.missing(PAGES)
        assert Digest.of(LARGE).sha256 not in missing
        assert (await server.publish(whole(PAGES, header(DOCS), sent=missing))).updated


async def test_a_large_content_flows_through_memory_that_stays_small(tmp_path: Path) -> None:
    # 256 MiB; of it the server holds a few chunks at a time. Allocators keep some more: 30 to 80 MiB were seen.
    chunk_bytes, count, most_bytes = 256 * 1024, 1024, 128 * 1024**2
    hashed = hashlib.sha256()
    for number in range(count):
        hashed.update(number.to_bytes(4) * (chunk_bytes // 4))
    large = Digest(hashed.hexdigest(), chunk_bytes * count)

    def messages() -> Iterator[publish_pb2.PublishSiteRequest]:
        first, manifest_part, *rest = whole({"index.html": b"x"}, header(DOCS))
        manifest_part.manifest.files.add(path="large.bin", digest=digest_message(large))
        yield from (first, manifest_part, *rest)
        for number in range(count):
            yield chunk(large.sha256, number * chunk_bytes, number.to_bytes(4) * (chunk_bytes // 4))

    async with publishing(tmp_path, compress_variants=False) as server:
        before = peak_bytes(server)
        assert (await server.publish(messages())).uploaded_bytes == large.size_bytes + 1
        assert peak_bytes(server) - before < most_bytes


def peak_bytes(server: PublishingServer) -> int:
    """Return the most memory that the server has had."""
    status = Path(f"/proc/{server.service.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


async def test_what_is_no_site_or_too_large_is_refused(tmp_path: Path) -> None:
    async with publishing(tmp_path, site_max_bytes=1000, site_max_files=3) as server:
        for path in ("../up", "/abs", "a/../../up", "a//b", "a/./b", "a\\b", "a/", ".", "a\nb"):
            refusal = await problem(server.publish(whole({"index.html": b"x", path: b"evil"}, header(DOCS))))
            assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MANIFEST_INVALID")
        twice = [header(DOCS), manifest({"index.html": b"x"}), manifest({"index.html": b"x"})]
        assert (await problem(server.publish(twice))).reason == "MANIFEST_INVALID"
        for files in ({"index.html": b"x" * 1001}, {f"{n}.html": b"" for n in range(3)} | {"index.html": b""}):
            refusal = await problem(server.publish(whole(files, header(DOCS))))
            assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED")
        assert await server.sites() == []


async def test_a_published_site_gets_its_compressed_variants(tmp_path: Path) -> None:
    async with publishing(tmp_path) as server:
        await server.publish(whole({"index.html": b"<p>again and again</p>" * 500}, header(DOCS)))
        await eventually(lambda: "variants_made" in server.service.logged(), what="variants are made")


async def test_the_bridge_tells_what_is_missing_and_has_no_path_for_the_stream(tmp_path: Path) -> None:
    async with publishing(tmp_path, role="serve") as server:
        await server.publish(whole(PAGES, header(DOCS)))
        digests = [Digest.of(LARGE), Digest.of(b"new")]
        body = {
            "entity": {"kind": "component", "name": "docs"},
            "digests": [{"sha256": digest.sha256, "sizeBytes": str(digest.size_bytes)} for digest in digests],
        }
        async with httpx.AsyncClient(base_url=server.service.rest) as client:
            answer = await client.post("/v1/blobs:findMissing", json=body)
            capabilities = (await client.get("/v1/capabilities")).json()
        assert answer.status_code == 200
        assert [found["sha256"] for found in answer.json()["missingDigests"]] == [Digest.of(b"new").sha256]
        assert (capabilities["publishEnabled"], capabilities["blobGraceDuration"]) == (True, "86400s")
