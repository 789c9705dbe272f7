"""Deleting and pinning revisions, the list of changes, and collecting garbage, over gRPC."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from techdocs.v1 import admin_pb2, sites_pb2
from techdocs_server.domain.change import SiteAction
from techdocs_server.rpc.convert_changes import action_message

from tests.support.rpc_client import problem
from tests.unit.rpc.real_server import DEMO, Served


async def three_published(service: Served) -> list[str]:
    return [await service.publish(index=text) for text in ("one", "two", "three")]


async def deleted(service: Served, revision: str, *, etag: str = "") -> None:
    await service.client.sites.DeleteRevision(
        sites_pb2.DeleteRevisionRequest(entity=DEMO, revision=revision, etag=etag)
    )


async def listed(service: Served) -> list[sites_pb2.Revision]:
    answer = await service.client.sites.ListRevisions(sites_pb2.ListRevisionsRequest(entity=DEMO))
    return list(answer.revisions)


async def test_deleted_revision_is_not_found_by_any_call(service: Served) -> None:
    first, second, third = await three_published(service)
    await deleted(service, first)
    assert [revision.revision for revision in await listed(service)] == [third, second]
    for call in (
        service.client.sites.GetRevision(sites_pb2.GetRevisionRequest(entity=DEMO, revision=first)),
        service.client.sites.RollbackSite(sites_pb2.RollbackSiteRequest(entity=DEMO, revision=first)),
        service.client.sites.PinRevision(sites_pb2.PinRevisionRequest(entity=DEMO, revision=first)),
        service.client.sites.DeleteRevision(sites_pb2.DeleteRevisionRequest(entity=DEMO, revision=first)),
    ):
        refusal = await problem(call)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "REVISION_NOT_FOUND")


async def test_current_and_pinned_revisions_are_refused_with_their_reasons(service: Served) -> None:
    first, _, third = await three_published(service)
    refusal = await problem(deleted(service, third))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "REVISION_IS_CURRENT")
    pinned = await service.client.sites.PinRevision(sites_pb2.PinRevisionRequest(entity=DEMO, revision=first))
    assert pinned.revision.pinned
    assert [revision.pinned for revision in await listed(service)] == [False, False, True]
    refusal = await problem(deleted(service, first))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "REVISION_PINNED")
    free = await service.client.sites.UnpinRevision(sites_pb2.UnpinRevisionRequest(entity=DEMO, revision=first))
    assert not free.revision.pinned
    await deleted(service, first)


async def test_deletion_needs_the_etag_it_was_given(service: Served) -> None:
    first, _, _ = await three_published(service)
    refusal = await problem(deleted(service, first, etag='"1"'))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    site = await service.client.sites.GetSite(sites_pb2.GetSiteRequest(entity=DEMO))
    await deleted(service, first, etag=site.site.etag)


async def test_changes_are_listed_newest_first_page_by_page_with_who_did_it(service: Served) -> None:
    first, second, _ = await three_published(service)
    await service.client.sites.PinRevision(sites_pb2.PinRevisionRequest(entity=DEMO, revision=second))
    await deleted(service, first)
    request = sites_pb2.ListSiteChangesRequest(entity=DEMO, page_size=2)
    changes: list[sites_pb2.SiteChange] = []
    while True:
        page = await service.client.sites.ListSiteChanges(request)
        changes += page.changes
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert [(sites_pb2.SiteAction.Name(change.action), change.revision) for change in changes[:2]] == [
        ("SITE_ACTION_REVISION_DELETED", first),
        ("SITE_ACTION_REVISION_PINNED", second),
    ]
    assert [change.action for change in changes[2:]] == [sites_pb2.SITE_ACTION_PUBLISHED] * 3
    assert changes[0].actor.startswith("anonymous@")
    assert changes[0].request_id
    assert changes[2].build.startswith("builds/")
    everything = await service.client.sites.ListSiteChanges(sites_pb2.ListSiteChangesRequest())
    assert list(everything.changes) == changes


async def test_token_of_another_listing_of_changes_is_refused(service: Served) -> None:
    await three_published(service)
    page = await service.client.sites.ListSiteChanges(sites_pb2.ListSiteChangesRequest(page_size=1))
    request = sites_pb2.ListSiteChangesRequest(entity=DEMO, page_token=page.next_page_token)
    assert (await problem(service.client.sites.ListSiteChanges(request))).reason == "PAGE_TOKEN_INVALID"


@pytest.mark.parametrize("action", list(SiteAction))
def test_every_action_has_a_value_on_the_wire(action: SiteAction) -> None:
    assert sites_pb2.SiteAction.Name(action_message(action)) == f"SITE_ACTION_{action.value.upper()}"


async def test_collection_tells_what_it_did_and_dry_what_it_would_do(service: Served) -> None:
    await three_published(service)  # two of them are kept here
    dry = await service.client.admin.CollectGarbage(admin_pb2.CollectGarbageRequest(dry_run=True))
    assert len(await listed(service)) == 3
    done = await service.client.admin.CollectGarbage(admin_pb2.CollectGarbageRequest())
    assert len(await listed(service)) == 2
    assert dry.collection.dry_run
    assert not done.collection.dry_run
    for figure in ("kept_blobs", "kept_bytes", "deleted_blobs", "deleted_bytes", "deleted_revisions"):
        assert getattr(dry.collection, figure) == getattr(done.collection, figure), figure
    assert done.collection.deleted_revisions == 1
    assert done.collection.kept_bytes > 0
    assert done.collection.duration.ToNanoseconds() > 0


async def test_second_collection_at_once_is_refused(service: Served) -> None:
    async with service.pipeline.sites.sweeping.leases.collecting():
        refusal = await problem(service.client.admin.CollectGarbage(admin_pb2.CollectGarbageRequest()))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "COLLECTION_RUNNING")


async def test_lost_manifest_is_told_as_lost_data(service: Served) -> None:
    _, second, _ = await three_published(service)
    await service.pipeline.blobs.delete([second])
    refusal = await problem(service.client.admin.CollectGarbage(admin_pb2.CollectGarbageRequest()))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.DATA_LOSS, "CONTENT_CORRUPT")
    assert refusal.metadata["revision"] == second


async def test_pages_are_served_while_garbage_is_collected(service: Served) -> None:
    await three_published(service)
    answers, _ = await asyncio.gather(
        asyncio.gather(*(service.get() for _ in range(20))),
        service.client.admin.CollectGarbage(admin_pb2.CollectGarbageRequest()),
    )
    assert {answer.body.data for answer in answers} == {b"three"}


async def test_changes_are_streamed_as_they_happen(service: Served) -> None:
    stream = service.client.sites.WatchSites(sites_pb2.WatchSitesRequest(namespace="default"))
    messages = aiter(stream)
    first = await anext(messages)
    assert not first.HasField("change")
    revision = await service.publish(index="one")
    async with asyncio.timeout(20):
        message = await anext(messages)
        while not message.HasField("change"):
            message = await anext(messages)
    assert message.change.revision == revision
    assert message.change.action == sites_pb2.SITE_ACTION_PUBLISHED
    assert message.sequence == message.change.sequence > first.sequence
    stream.cancel()
    again = service.client.sites.WatchSites(sites_pb2.WatchSitesRequest(after_sequence=first.sequence))
    resumed = [await anext(aiter(again)) for _ in range(2)]
    assert resumed[1].change == message.change
    again.cancel()
