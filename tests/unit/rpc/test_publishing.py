"""The edge of publishing: streams go through every interceptor, messages become values and back."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import grpc
from techdocs.v1 import publish_pb2, sites_pb2
from techdocs_server.domain.change import SiteAction
from techdocs_server.domain.digest import Digest

from tests.support.publish_messages import chunk, chunks, digest_message, header, manifest, send, whole
from tests.support.rpc_client import component, problem
from tests.support.waiting import eventually
from tests.unit.rpc.real_server import Served, served

PAGES = {"index.html": b"<h1>one</h1>", "big.bin": b"x" * 600_000}
DOCS = component("docs")


async def publish(
    service: Served, messages: Iterable[publish_pb2.PublishSiteRequest]
) -> publish_pb2.PublishSiteResponse:
    return await send(service.target, messages)


async def test_a_site_goes_in_as_a_stream_and_comes_out_as_a_revision(service: Served) -> None:
    answer = await publish(service, whole(PAGES, header(DOCS, source_etag="abc", site_name="Docs")))
    assert answer.updated
    assert answer.revision.current
    assert (answer.revision.file_count, answer.revision.source_etag) == (3, "abc")
    assert answer.uploaded_bytes == sum(map(len, PAGES.values()))
    site = await service.client.sites.GetSite(sites_pb2.GetSiteRequest(entity=DOCS))
    assert (site.site.current_revision, site.site.title) == (answer.revision.revision, "Docs")


async def test_missing_blobs_are_told_each_once_and_only_to_their_entity(service: Served) -> None:
    await publish(service, whole(PAGES, header(DOCS)))
    own, new = Digest.of(PAGES["big.bin"]), Digest.of(b"new")
    request = publish_pb2.FindMissingBlobsRequest(
        entity=DOCS, digests=[digest_message(own), digest_message(new), digest_message(new)]
    )
    answer = await service.client.publish.FindMissingBlobs(request)
    assert [found.sha256 for found in answer.missing_digests] == [new.sha256]
    request.entity.CopyFrom(component("other"))
    answer = await service.client.publish.FindMissingBlobs(request)
    assert {found.sha256 for found in answer.missing_digests} == {own.sha256, new.sha256}


async def test_every_message_of_a_stream_is_validated(service: Served) -> None:
    for messages, field in (
        ([publish_pb2.PublishSiteRequest()], "payload"),
        ([header(DOCS, request_id="no uuid")], "header.request_id"),
        ([header(DOCS), publish_pb2.PublishSiteRequest(manifest=publish_pb2.ManifestPart())], "manifest.files"),
        ([header(DOCS), manifest(PAGES), chunk("XY", 0, b"x")], "chunk.sha256"),
        ([header(DOCS), manifest(PAGES), chunk("ab" * 32, -1, b"x")], "chunk.offset"),
        ([header(DOCS), manifest(PAGES), chunk("ab" * 32, 0, b"x" * 262_145)], "chunk.data"),
    ):
        refusal = await problem(publish(service, messages))
        assert (refusal.reason, list(refusal.violations)) == ("FIELD_INVALID", [field])


async def test_bytes_that_are_no_message_are_refused_as_such(service: Served) -> None:
    call = service.client.channel.stream_unary(
        "/techdocs.v1.PublishService/PublishSite",
        request_serializer=bytes,
        response_deserializer=publish_pb2.PublishSiteResponse.FromString,
    )
    refusal = await problem(call(iter([header(DOCS).SerializeToString(), b"\xff\xff"])))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID")


async def test_errors_of_a_stream_have_their_codes_and_metadata(service: Served) -> None:
    refusal = await problem(publish(service, [header(DOCS), manifest(PAGES)]))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "BLOBS_MISSING")
    assert refusal.metadata["count"] == "2"
    refusal = await problem(publish(service, [manifest(PAGES)]))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "STREAM_ORDER_INVALID")
    refusal = await problem(publish(service, whole(PAGES, header(DOCS, expected_revision="ab" * 32))))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "REVISION_CONFLICT")


async def test_a_checked_site_has_no_revision_yet(service: Served) -> None:
    answer = await publish(service, whole(PAGES, header(DOCS, validate_only=True)))
    assert answer.updated
    assert (answer.revision.revision, answer.revision.file_count) == ("", 3)
    assert not answer.revision.HasField("create_time")
    assert (
        await problem(service.client.sites.GetSite(sites_pb2.GetSiteRequest(entity=DOCS)))
    ).reason == "SITE_NOT_FOUND"


async def test_the_id_of_a_stream_is_in_its_answer_and_with_the_change_it_made(service: Served) -> None:
    call = service.client.publish.PublishSite(
        iter(whole(PAGES, header(DOCS))), metadata=(("x-request-id", "of-the-caller-1"),)
    )
    await call
    assert dict(await call.trailing_metadata())["x-request-id"] == "of-the-caller-1"
    [change] = await service.pipeline.sites.changes.changes(entity=None, before=None, limit=10)
    assert (change.cause.action, change.cause.request_id) == (SiteAction.PUBLISHED, "of-the-caller-1")


async def test_a_server_that_takes_no_sites_says_so(tmp_path: Path) -> None:
    async with served(tmp_path, publish_enabled=False) as service:
        refusal = await problem(publish(service, whole(PAGES, header(DOCS))))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "PUBLISH_DISABLED")
        request = publish_pb2.FindMissingBlobsRequest(entity=DOCS, digests=[digest_message(Digest.of(b""))])
        assert (await problem(service.client.publish.FindMissingBlobs(request))).reason == "PUBLISH_DISABLED"


class Paused:
    """A stream that waits after its header until it may go on."""

    def __init__(self, messages: Iterable[publish_pb2.PublishSiteRequest]) -> None:
        self._messages = list(messages)
        self.begun = False
        self.goes_on = asyncio.Event()

    async def __call__(self) -> AsyncIterator[publish_pb2.PublishSiteRequest]:
        yield self._messages[0]
        self.begun = True
        await self.goes_on.wait()
        for message in self._messages[1:]:
            yield message


async def test_streams_that_send_have_places_of_their_own(tmp_path: Path) -> None:
    async with served(tmp_path, max_concurrent_calls=8) as service:
        paused = Paused(whole(PAGES, header(DOCS)))
        first = asyncio.ensure_future(service.client.publish.PublishSite(paused()))
        await eventually(lambda: paused.begun, what="the first stream has begun")
        refusal = await problem(publish(service, whole(PAGES, header(component("other")))))
        assert (refusal.reason, refusal.retry_seconds) == ("SERVER_OVERLOADED", 1.0)
        # Readers are not kept out.
        request = publish_pb2.FindMissingBlobsRequest(entity=DOCS, digests=[digest_message(Digest.of(b""))])
        await service.client.publish.FindMissingBlobs(request)
        paused.goes_on.set()
        assert (await first).updated


async def test_a_stream_that_sends_nothing_ends_and_gives_its_place_back(tmp_path: Path) -> None:
    async with served(tmp_path, max_concurrent_calls=1, publish_idle_seconds=0.1) as service:
        paused = Paused([header(DOCS)])
        refusal = await problem(service.client.publish.PublishSite(paused()))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
        assert (await publish(service, whole(PAGES, header(DOCS)))).updated


async def test_the_deadline_of_the_caller_ends_a_stream(service: Served) -> None:
    paused = Paused([header(DOCS)])
    refusal = await problem(service.client.publish.PublishSite(paused(), timeout=0.2))
    assert refusal.code is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_cancelled_stream_keeps_what_it_had_completed_and_publishes_nothing(service: Served) -> None:
    # Far more than fits between client and server, so that the server has read the beginning when the end is sent.
    pages = PAGES | {"big.bin": b"x" * 20_000_000}
    small = Digest.of(PAGES["index.html"])
    passed = asyncio.Event()

    async def endless() -> AsyncIterator[publish_pb2.PublishSiteRequest]:
        for message in whole(pages, header(DOCS), sent=[small.sha256]):
            yield message
        for message in chunks(pages["big.bin"])[:-1]:
            yield message
        passed.set()
        await asyncio.Event().wait()

    call = service.client.publish.PublishSite(endless())
    await passed.wait()
    request = publish_pb2.FindMissingBlobsRequest(entity=DOCS, digests=[digest_message(small)])
    call.cancel()

    async def is_kept() -> bool:
        return not (await service.client.publish.FindMissingBlobs(request)).missing_digests

    await eventually(is_kept, what="the small content is kept")
    assert (
        await problem(service.client.sites.GetSite(sites_pb2.GetSiteRequest(entity=DOCS)))
    ).reason == "SITE_NOT_FOUND"
