import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import grpc
import pytest
from techdocs.v1 import builds_pb2, docs_pb2, sites_pb2
from techdocs_server.domain.page_token import page_token

from tests.support.rpc_client import component, problem
from tests.unit.rpc.real_server import DEMO, Served, served

PAGES = {f"page{number}": str(number) for number in range(8)} | {"index": "front"}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    """A site with three revisions, four builds and ten files in its current revision."""
    async with served(tmp_path) as service:
        await service.publish(index="one")
        await service.publish(index="two")
        await service.publish(**PAGES)
        await service.sync(force=True)
        yield service


async def test_pages_of_files_are_the_whole_listing_in_order(site: Served) -> None:
    whole = await site.client.docs.ListContents(docs_pb2.ListContentsRequest(entity=DEMO))
    paths, token, sizes = [], "", []
    while True:
        request = docs_pb2.ListContentsRequest(entity=DEMO, page_size=4, page_token=token)
        page = await site.client.docs.ListContents(request)
        paths += [content.path for content in page.contents]
        sizes.append(len(page.contents))
        token = page.next_page_token
        if not token:
            break
    assert paths == [content.path for content in whole.contents] == sorted(paths)
    assert sizes == [4, 4, 2]
    assert whole.next_page_token == ""


async def test_pages_of_files_stay_with_the_revision_of_the_first(site: Served) -> None:
    first = await site.client.docs.ListContents(docs_pb2.ListContentsRequest(entity=DEMO, page_size=4))
    await site.publish(index="entirely different")
    second = await site.client.docs.ListContents(
        docs_pb2.ListContentsRequest(entity=DEMO, page_size=4, page_token=first.next_page_token)
    )
    assert second.revision == first.revision
    assert len(second.contents) == 4


async def test_a_prefix_lists_only_what_begins_with_it(site: Served) -> None:
    page = await site.client.docs.ListContents(docs_pb2.ListContentsRequest(entity=DEMO, path_prefix="page"))
    assert [content.path for content in page.contents] == [f"page{number}.html" for number in range(8)]


async def test_pages_of_revisions_are_the_whole_listing_newest_first(site: Served) -> None:
    whole = await site.client.sites.ListRevisions(sites_pb2.ListRevisionsRequest(entity=DEMO))
    first = await site.client.sites.ListRevisions(sites_pb2.ListRevisionsRequest(entity=DEMO, page_size=2))
    second = await site.client.sites.ListRevisions(
        sites_pb2.ListRevisionsRequest(entity=DEMO, page_size=2, page_token=first.next_page_token)
    )
    found = [*first.revisions, *second.revisions]
    assert [revision.revision for revision in found] == [revision.revision for revision in whole.revisions]
    assert [revision.current for revision in found] == [True, False, False]
    assert second.next_page_token == ""


async def test_pages_of_builds_are_the_whole_listing_newest_first(site: Served) -> None:
    whole = await site.client.builds.ListBuilds(builds_pb2.ListBuildsRequest())
    first = await site.client.builds.ListBuilds(builds_pb2.ListBuildsRequest(page_size=3))
    second = await site.client.builds.ListBuilds(
        builds_pb2.ListBuildsRequest(page_size=3, page_token=first.next_page_token)
    )
    assert [build.name for build in (*first.builds, *second.builds)] == [build.name for build in whole.builds]
    assert len(whole.builds) == 4
    created = [build.create_time.ToNanoseconds() for build in whole.builds]
    assert created == sorted(created, reverse=True)


async def test_builds_are_listed_by_entity_and_by_state(site: Served) -> None:
    site.pipeline.write(index="x", FAIL="the theme is broken")
    await problem(site.sync())
    failed = [builds_pb2.BUILD_STATE_FAILED]
    page = await site.client.builds.ListBuilds(builds_pb2.ListBuildsRequest(entity=DEMO, states=failed))
    assert [build.state for build in page.builds] == failed
    other = await site.client.builds.ListBuilds(builds_pb2.ListBuildsRequest(entity=component("other")))
    assert not other.builds


async def test_sites_are_listed_by_namespace_and_kind(site: Served) -> None:
    async def names(namespace: str = "", kind: str = "") -> list[str]:
        request = sites_pb2.ListSitesRequest(namespace=namespace, kind=kind)
        page = await site.client.sites.ListSites(request)
        return [found.entity.name for found in page.sites]

    assert await names() == await names(namespace="Default", kind="COMPONENT") == ["demo"]
    assert await names(namespace="other") == await names(kind="api") == []


async def _token(call: Callable[[Served], Awaitable[str]], site: Served) -> str:
    token = await call(site)
    assert token
    return token


async def files_token(site: Served) -> str:
    request = docs_pb2.ListContentsRequest(entity=DEMO, path_prefix="page", page_size=2)
    return (await site.client.docs.ListContents(request)).next_page_token


async def revisions_token(site: Served) -> str:
    request = sites_pb2.ListRevisionsRequest(entity=DEMO, page_size=2)
    return (await site.client.sites.ListRevisions(request)).next_page_token


async def builds_token(site: Served) -> str:
    return (await site.client.builds.ListBuilds(builds_pb2.ListBuildsRequest(page_size=2))).next_page_token


@pytest.mark.parametrize("source", [files_token, revisions_token, builds_token])
async def test_a_token_of_another_listing_is_refused(site: Served, source: Callable[[Served], Awaitable[str]]) -> None:
    token = await _token(source, site)
    others: list[Awaitable[object]] = [
        site.client.docs.ListContents(docs_pb2.ListContentsRequest(entity=DEMO, path_prefix="pag", page_token=token)),
        site.client.docs.ListContents(
            docs_pb2.ListContentsRequest(
                entity=DEMO, path_prefix="page", revision=(await site.get()).info.revision, page_token=token
            )
        ),
        site.client.builds.ListBuilds(builds_pb2.ListBuildsRequest(entity=DEMO, page_token=token)),
        site.client.builds.ListBuilds(
            builds_pb2.ListBuildsRequest(states=[builds_pb2.BUILD_STATE_FAILED], page_token=token)
        ),
        site.client.sites.ListSites(sites_pb2.ListSitesRequest(page_token=token)),
    ]
    for other in others:
        refusal = await problem(other)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID")


@pytest.mark.parametrize("token", ["x", "%%%", "e30", "W10", "bnVsbA", "MQ", "ü", "WyIiLCIiXQ"])
async def test_a_token_that_nobody_made_is_refused(site: Served, token: str) -> None:
    calls: list[Awaitable[object]] = [
        site.client.docs.ListContents(docs_pb2.ListContentsRequest(entity=DEMO, page_token=token)),
        site.client.builds.ListBuilds(builds_pb2.ListBuildsRequest(page_token=token)),
        site.client.sites.ListSites(sites_pb2.ListSitesRequest(page_token=token)),
        site.client.sites.ListRevisions(sites_pb2.ListRevisionsRequest(entity=DEMO, page_token=token)),
    ]
    for call in calls:
        assert (await problem(call)).reason == "PAGE_TOKEN_INVALID"


@pytest.mark.parametrize(
    "position", [("2026-01-01", "x"), ("2026-01-01T00:00:00", "x"), ("yesterday", "x"), ("\ud800", "x")]
)
async def test_a_forged_position_among_builds_is_refused(site: Served, position: tuple[str, str]) -> None:
    request = builds_pb2.ListBuildsRequest(page_token=page_token(["builds", ""], position))
    assert (await problem(site.client.builds.ListBuilds(request))).reason == "PAGE_TOKEN_INVALID"


@pytest.mark.parametrize("position", [("\ud800", "index.html"), ("current", "index.html")])
async def test_a_forged_position_among_files_is_refused(site: Served, position: tuple[str, str]) -> None:
    token = page_token(["contents", "component:default/demo", "", ""], position)
    refusal = await problem(site.client.docs.ListContents(docs_pb2.ListContentsRequest(entity=DEMO, page_token=token)))
    assert refusal.reason in {"PAGE_TOKEN_INVALID", "REVISION_NOT_FOUND"}


async def test_a_token_of_many_lists_is_refused(site: Served) -> None:
    token = base64.urlsafe_b64encode(b"[" * 1500 + b"]" * 1500).decode()
    refusal = await problem(site.client.docs.ListContents(docs_pb2.ListContentsRequest(entity=DEMO, page_token=token)))
    assert refusal.reason == "PAGE_TOKEN_INVALID"


async def test_the_same_listing_may_change_its_page_size(site: Served) -> None:
    token = await files_token(site)
    request = docs_pb2.ListContentsRequest(entity=DEMO, path_prefix="page", page_size=500, page_token=token)
    page = await site.client.docs.ListContents(request)
    assert [content.path for content in page.contents] == [f"page{number}.html" for number in range(2, 8)]


async def test_more_than_the_most_is_taken_as_the_most(site: Served) -> None:
    request = docs_pb2.ListContentsRequest(entity=DEMO, page_size=2**31 - 1)
    assert len((await site.client.docs.ListContents(request)).contents) == 10
