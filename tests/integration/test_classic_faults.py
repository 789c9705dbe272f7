"""A classic bucket that fails: readers are told that, and never that there is nothing."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from techdocs.v1 import docs_pb2
from techdocs_server.adapters.blobs.memory import MemoryBlobStore
from techdocs_server.adapters.clock import SystemClock
from techdocs_server.adapters.records.memory import MemorySiteRecords
from techdocs_server.adapters.records.memory_leases import MemoryBlobLeases
from techdocs_server.adapters.spools.local import LocalSpool
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.services.committing import RevisionCommitter
from techdocs_server.services.reading import SiteReader
from techdocs_server.services.site_import import ImportLimits, ImportRefused, SiteImporter

from tests.integration.test_second_server import refused
from tests.support.classic import S3Objects, classic_bucket
from tests.support.faulty_proxy import FaultyProxy, faulty_proxy
from tests.support.published import Catalog, Deployment, deployed, site_path
from tests.support.rpc_client import Client, component, connected, problem
from tests.support.seaweedfs import ACCESS_KEY, BUCKET, SECRET_KEY, SeaweedFS

DEMO = EntityRef("default", "component", "demo")
LARGE = bytes(range(256)) * 12_000


def settings(endpoint: str, prefix: str, **changes: object) -> dict[str, object]:
    return {
        "s3_endpoint": endpoint,
        "s3_region": "us-east-1",
        "s3_access_key": ACCESS_KEY,
        "s3_secret_key": SECRET_KEY,
        "backstage_bucket": BUCKET,
        "backstage_prefix": prefix,
        **changes,
    }


@dataclass
class Scene:
    proxy: FaultyProxy
    objects: S3Objects
    prefix: str


@pytest.fixture
async def scene(s3_server: SeaweedFS) -> AsyncIterator[Scene]:
    host, _, port = s3_server.endpoint.removeprefix("http://").partition(":")
    prefix = f"{uuid.uuid4().hex}/"
    objects = S3Objects(s3_server, BUCKET, prefix)
    await objects.put(**{"default/component/demo/index.html": b"classic", "default/component/demo/large.bin": LARGE})
    async with faulty_proxy(host, int(port)) as proxy:
        yield Scene(proxy, objects, prefix)


@dataclass
class Running:
    deployment: Deployment
    client: Client


@pytest.fixture
async def running(scene: Scene, tmp_path: Path) -> AsyncIterator[Running]:
    server = settings(scene.proxy.endpoint, scene.prefix)
    async with (
        deployed(tmp_path, Catalog(tmp_path / "catalog"), server=server) as deployment,
        connected(deployment.server.grpc) as client,
    ):
        yield Running(deployment, client)


async def test_a_bucket_that_fails_is_no_empty_bucket_over_grpc_and_rest(scene: Scene, running: Running) -> None:
    docs = running.client.docs
    known, unknown = component("demo"), component("never-asked")
    assert (await docs.GetContent(docs_pb2.GetContentRequest(entity=known))).body.data == b"classic"
    scene.proxy.answer_always = 500
    scene.proxy.hang_up()
    async with httpx.AsyncClient(base_url=running.deployment.rest, timeout=60) as http:
        grpc_calls: list[Awaitable[object]] = [
            docs.GetContent(docs_pb2.GetContentRequest(entity=unknown)),
            docs.GetSiteMetadata(docs_pb2.GetSiteMetadataRequest(entity=unknown)),
            docs.ListContents(docs_pb2.ListContentsRequest(entity=unknown)),
            # Listed already: the page itself cannot be had.
            docs.GetContent(docs_pb2.GetContentRequest(entity=known, path="large.bin", read_limit=10)),
        ]
        rest_calls = [
            http.get(site_path("never-asked", below=below)) for below in ("docs", "static/docs", "metadata/techdocs")
        ]
        problems = await asyncio.gather(*(problem(call) for call in grpc_calls))
        answers = await asyncio.gather(*rest_calls)
    assert [found.reason for found in problems] == ["STORAGE_UNAVAILABLE"] * 4
    assert [answer.status_code for answer in answers] == [503, 500, 503]
    scene.proxy.answer_always = None
    missing = await problem(docs.GetContent(docs_pb2.GetContentRequest(entity=unknown)))
    assert missing.reason == "SITE_NOT_FOUND"


async def test_a_download_that_breaks_off_is_told(scene: Scene) -> None:
    bucket = classic_bucket(scene.proxy.endpoint, BUCKET, scene.prefix, read_seconds=1)
    try:
        [file] = [file for file in await bucket.files(DEMO) if file.path == "large.bin"]
        scene.proxy.cut_after = 1_000_000
        bucket._pool.clear()
        got = bytearray()
        with pytest.raises(StorageUnavailable):
            async for chunk in bucket.read(file):
                got += chunk
        assert LARGE.startswith(bytes(got))
        assert len(got) < 1_000_000
    finally:
        await bucket.close()


async def test_a_byte_that_changed_on_the_way_stops_an_import(scene: Scene, tmp_path: Path) -> None:
    bucket, spool = classic_bucket(scene.proxy.endpoint, BUCKET, scene.prefix), LocalSpool(tmp_path)
    sites, blobs = MemorySiteRecords(), MemoryBlobStore()
    importer = SiteImporter(
        bucket=bucket,
        sites=sites,
        blobs=blobs,
        reader=SiteReader(sites, blobs),
        committer=RevisionCommitter(sites, blobs, MemoryBlobLeases(), SystemClock()),
        spool=spool,
        limits=ImportLimits(max_bytes=10**8, max_files=100, concurrency=4),
    )
    try:
        scene.proxy.flip_at = 2_000_000
        with pytest.raises(ImportRefused, match=r"'large\.bin' is damaged"):
            await importer.import_site(DEMO)
        assert await sites.pointer(DEMO) is None
        scene.proxy.flip_at = None
        scene.proxy.hang_up()
        assert (await importer.import_site(DEMO)).file_count == 2
    finally:
        await spool.close()
        await bucket.close()
    assert await blobs.missing([Digest.of(LARGE), Digest.of(b"classic")]) == frozenset()
    assert not list(tmp_path.iterdir())


async def test_a_bucket_that_is_gone_is_not_an_empty_one(s3_server: SeaweedFS) -> None:
    bucket = classic_bucket(s3_server.endpoint, "nobody-made-this")
    try:
        for call in (bucket.files(DEMO), bucket.inventory(), bucket.check()):
            with pytest.raises(StorageUnavailable, match="does not exist"):
                await call
    finally:
        await bucket.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"backstage_bucket": "absent"}, "backstage_bucket: storage is unavailable: the bucket does not exist"),
        ({"s3_secret_key": "wrong"}, "backstage_bucket: storage is unavailable: the S3 server denies access"),
    ],
    ids=["no bucket", "wrong key"],
)
async def test_a_bucket_that_cannot_be_used_ends_the_start_with_its_setting(
    tmp_path: Path, s3_server: SeaweedFS, change: dict[str, object], words: str
) -> None:
    given = settings(s3_server.endpoint, "x/", **change)
    said = await refused("server", data_directory=tmp_path, server_listen="127.0.0.1:0", **given)
    assert words in said.splitlines()[-1]
