"""Sites that Backstage's own tools published, through every RPC that may meet one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from techdocs.v1 import docs_pb2, sites_pb2
from techdocs_server.adapters.classic.memory import MemoryClassicBucket
from techdocs_server.services.classic_sites import ClassicSites

from tests.support.rpc_client import collected, component, problem, problem_at_end
from tests.unit.rpc.real_server import DEMO, Served, served

PAGE = b"<h1>Classic</h1>"
LARGE = bytes(range(256)) * 2000  # more than an answer in one message may hold
METADATA = {
    "site_name": "Old name",
    "site_description": "None",
    "build_timestamp": 1_700_000_000_123,
    "etag": "abc123",
    "files": ["index.html", "techdocs_metadata.json"],
}
FOLDER = "default/component/demo/"


@dataclass
class Scene:
    bucket: MemoryClassicBucket
    service: Served

    def put(self, path: str, content: bytes) -> None:
        self.bucket.objects[FOLDER + path] = content

    async def read(self, **fields: object) -> list[docs_pb2.ReadContentResponse]:
        return await collected(
            self.service.client.docs.ReadContent(docs_pb2.ReadContentRequest(entity=DEMO, **fields))  # type: ignore[arg-type]
        )

    async def metadata(self) -> docs_pb2.GetSiteMetadataResponse:
        return await self.service.client.docs.GetSiteMetadata(docs_pb2.GetSiteMetadataRequest(entity=DEMO))

    async def listing(self, **fields: object) -> docs_pb2.ListContentsResponse:
        return await self.service.client.docs.ListContents(docs_pb2.ListContentsRequest(entity=DEMO, **fields))  # type: ignore[arg-type]


@pytest.fixture
async def scene(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    bucket = MemoryClassicBucket()
    sites = ClassicSites(bucket, fresh_seconds=getattr(request, "param", 60.0), believed_for=0)
    async with served(tmp_path, classic=sites) as service:
        scene = Scene(bucket, service)
        scene.put("index.html", PAGE)
        scene.put("guide/index.html", b"guide")
        scene.put("assets/large.bin", LARGE)
        scene.put("techdocs_metadata.json", json.dumps(METADATA).encode())
        yield scene


always_looking = pytest.mark.parametrize("scene", [0.0], indirect=True)


async def test_a_page_is_served_with_the_entity_tag_of_its_object(scene: Scene) -> None:
    answer = await scene.service.get("")
    assert answer.body.data == PAGE
    assert answer.body.content_type == "text/html; charset=utf-8"
    info = answer.info
    assert info.etag == f'"{hashlib.md5(PAGE, usedforsecurity=False).hexdigest()}"'
    assert (info.path, info.size_bytes, info.sha256, len(info.revision)) == ("index.html", len(PAGE), "", 64)
    assert (await scene.service.get("guide")).info.path == "guide/index.html"
    held = docs_pb2.GetContentRequest(entity=DEMO, if_none_match=[info.etag])
    assert (await scene.service.client.docs.GetContent(held)).not_modified


async def test_large_files_are_streamed_and_ranges_cut(scene: Scene) -> None:
    assert (await scene.service.get("assets/large.bin")).data_omitted
    messages = await scene.read(path="assets/large.bin")
    assert b"".join(message.body.data for message in messages) == LARGE
    [first] = await scene.read(path="assets/large.bin", read_offset=-10)
    assert (first.body.data, first.range.offset) == (LARGE[-10:], len(LARGE) - 10)
    [info] = await scene.read(path="assets/large.bin", view=docs_pb2.CONTENT_VIEW_INFO)
    assert (info.info.size_bytes, info.body.data) == (len(LARGE), b"")


async def test_metadata_are_those_of_the_file(scene: Scene) -> None:
    answer = await scene.metadata()
    assert (answer.metadata.site_name, answer.metadata.etag) == ("Old name", "abc123")
    assert answer.metadata.build_timestamp.ToMilliseconds() == METADATA["build_timestamp"]
    assert list(answer.metadata.files) == METADATA["files"]
    assert answer.revision == (await scene.service.get("")).info.revision


@pytest.mark.parametrize("content", [None, b"{}", b'{"files": null, "build_timestamp": null, "site_name": null}'])
@always_looking
async def test_what_the_metadata_do_not_say_the_listing_does(scene: Scene, content: bytes | None) -> None:
    del scene.bucket.objects[FOLDER + "techdocs_metadata.json"]
    if content is not None:
        scene.put("techdocs_metadata.json", content)
    answer = await scene.metadata()
    assert answer.metadata.site_name == "demo"
    assert answer.metadata.build_timestamp.seconds > METADATA["build_timestamp"] / 1000  # type: ignore[operator]
    assert [*answer.metadata.files] == sorted(key.removeprefix(FOLDER) for key in scene.bucket.objects)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"files": "abc"}',
        b'{"site_name": "\\ud800"}',
        b'{"build_timestamp": {"a": 1}}',
        b'{"build_timestamp": 1e300}',
        b'{"build_timestamp": NaN}',
        b'{"site_name":' + b"[" * 200_000,
    ],
    ids=lambda content: content[:24].decode("latin-1"),
)
@always_looking
async def test_metadata_that_are_none_are_told_as_damaged(scene: Scene, content: bytes) -> None:
    scene.put("techdocs_metadata.json", content)
    found = await problem(scene.metadata())
    assert (found.code, found.reason) == (grpc.StatusCode.DATA_LOSS, "CONTENT_CORRUPT")
    assert (await scene.service.get("")).body.data == PAGE


async def test_contents_are_listed_in_pages(scene: Scene) -> None:
    first = await scene.listing(page_size=3)
    assert [info.path for info in first.contents] == ["assets/large.bin", "guide/index.html", "index.html"]
    second = await scene.listing(page_size=3, page_token=first.next_page_token)
    assert [info.path for info in second.contents] == ["techdocs_metadata.json"]
    assert second.revision == first.revision
    assert [info.path for info in (await scene.listing(path_prefix="assets/")).contents] == ["assets/large.bin"]


@always_looking
async def test_a_later_page_of_a_listing_notices_a_change(scene: Scene) -> None:
    first = await scene.listing(page_size=1)
    scene.put("index.html", PAGE + b"!")
    found = await problem(scene.listing(page_size=1, page_token=first.next_page_token))
    assert (found.code, found.reason) == (grpc.StatusCode.NOT_FOUND, "REVISION_NOT_FOUND")


async def test_a_file_replaced_since_the_listing_is_read_as_it_is_now(scene: Scene) -> None:
    before = (await scene.service.get("")).info
    scene.put("index.html", b"newer and longer")
    [message] = await scene.read()
    assert message.body.data == b"newer and longer"
    assert message.info.size_bytes == len(b"newer and longer")
    assert message.info.revision != before.revision
    scene.put("index.html", b"newest")
    assert (await scene.service.get("")).body.data == b"newest"
    scene.put("techdocs_metadata.json", b'{"site_name": "Newest"}')
    assert (await scene.metadata()).metadata.site_name == "Newest"


async def test_a_site_removed_since_the_listing_is_not_there(scene: Scene) -> None:
    await scene.service.get("")
    scene.bucket.objects.clear()
    found = await problem(scene.service.get(""))
    assert found.reason == "SITE_NOT_FOUND"


async def test_missing_is_told_as_for_sites_of_ours(scene: Scene) -> None:
    assert (await problem(scene.service.get("nowhere.html"))).reason == "CONTENT_NOT_FOUND"
    request = docs_pb2.GetContentRequest(entity=DEMO, revision="0" * 64)
    assert (await problem(scene.service.client.docs.GetContent(request))).reason == "REVISION_NOT_FOUND"
    other = docs_pb2.GetContentRequest(entity=component("other"))
    assert (await problem(scene.service.client.docs.GetContent(other))).reason == "SITE_NOT_FOUND"


@always_looking
async def test_broken_is_never_told_as_missing(scene: Scene) -> None:
    scene.bucket.broken = True
    docs = scene.service.client.docs
    other = docs_pb2.GetContentRequest(entity=component("other"))
    for call in (scene.service.get(""), docs.GetContent(other), scene.metadata(), scene.listing()):
        assert (await problem(call)).reason == "STORAGE_UNAVAILABLE"
    _, found = await problem_at_end(docs.ReadContent(docs_pb2.ReadContentRequest(entity=DEMO)))
    assert (found.code, found.reason) == (grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE")
    scene.bucket.broken = False
    assert (await scene.service.get("")).body.data == PAGE


async def test_a_build_replaces_it_and_a_deletion_shows_it_again(scene: Scene) -> None:
    await scene.service.get("")
    await scene.service.publish(index="ours")
    assert (await scene.service.get("")).body.data == b"ours"
    assert (await scene.metadata()).metadata.site_name == "Demo"
    before = dict(scene.bucket.objects)
    await scene.service.client.sites.DeleteSite(sites_pb2.DeleteSiteRequest(entity=DEMO))
    assert (await scene.service.get("")).body.data == PAGE
    assert scene.bucket.objects == before


async def test_it_is_no_site_of_the_site_service(scene: Scene) -> None:
    sites = scene.service.client.sites
    assert not (await sites.ListSites(sites_pb2.ListSitesRequest())).sites
    for call in (
        sites.GetSite(sites_pb2.GetSiteRequest(entity=DEMO)),
        sites.ListRevisions(sites_pb2.ListRevisionsRequest(entity=DEMO)),
        sites.GetRevision(sites_pb2.GetRevisionRequest(entity=DEMO, revision="0" * 64)),
        sites.RollbackSite(sites_pb2.RollbackSiteRequest(entity=DEMO, revision="0" * 64)),
        sites.DeleteSite(sites_pb2.DeleteSiteRequest(entity=DEMO)),
    ):
        assert (await problem(call)).reason == "SITE_NOT_FOUND"
