"""A server that mirrors what it publishes into a bucket of a real S3 server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from techdocs.v1 import docs_pb2, sites_pb2

from tests.integration.build_control import Site, building, restarted
from tests.support.classic import S3Objects
from tests.support.faulty_proxy import FaultyProxy, faulty_proxy
from tests.support.rpc_client import component
from tests.support.seaweedfs import ACCESS_KEY, BUCKET, SECRET_KEY, SeaweedFS
from tests.support.waiting import eventually

MIRRORED_SECONDS = 20.0


@dataclass
class Scene:
    site: Site
    objects: S3Objects
    proxy: FaultyProxy

    async def published(self) -> Mapping[str, int]:
        """Return the files of the current revision and their sizes."""
        request = docs_pb2.ListContentsRequest(entity=component("demo"), page_size=1000)
        listing = await self.site.client.docs.ListContents(request)
        return {f"default/component/demo/{info.path}": info.size_bytes for info in listing.contents}

    async def mark(self) -> str:
        """Return the revision that the mirror says it has."""
        return await asyncio.to_thread(self._mark)

    def _mark(self) -> str:
        key = f"{self.objects.prefix}default/component/demo/techdocs_metadata.json"
        listed = list(self.objects.server.client.list_objects(BUCKET, key))
        if not listed:
            return ""
        metadata = self.objects.server.client.stat_object(BUCKET, key).metadata or {}
        return str(metadata.get("x-amz-meta-techdocs-revision", ""))

    async def mirrored(self, revision: str) -> None:
        async def marked() -> bool:
            return await self.mark() == revision

        await eventually(marked, timeout_seconds=MIRRORED_SECONDS, what=f"{revision} is mirrored")


@pytest.fixture
async def scene(tmp_path: Path, s3_server: SeaweedFS) -> AsyncIterator[Scene]:
    host, _, port = s3_server.endpoint.removeprefix("http://").partition(":")
    async with faulty_proxy(host, int(port)) as proxy:
        settings: dict[str, object] = {
            "s3_endpoint": proxy.endpoint,
            "s3_region": "us-east-1",
            "s3_access_key": ACCESS_KEY,
            "s3_secret_key": SECRET_KEY,
            "backstage_bucket": BUCKET,
            "backstage_prefix": f"{tmp_path.name}/",
            "mirror_classic": "true",
            "mirror_removal_grace_seconds": 0,
        }
        async with building(tmp_path, role="server", **settings) as site:
            yield Scene(site, S3Objects(s3_server, BUCKET, f"{tmp_path.name}/"), proxy)


async def test_builds_and_rollbacks_are_mirrored_whole_and_a_start_tidies_up(scene: Scene) -> None:
    site = scene.site
    site.add("demo")
    first = (await site.sync("demo")).revision
    await scene.mirrored(first)
    objects = await scene.objects.all()
    assert {key: len(content) for key, content in objects.items()} == await scene.published()

    site.catalog.write("demo", "added.md", "# Added\n")
    second = (await site.sync("demo")).revision
    await scene.mirrored(second)
    request = docs_pb2.GetContentRequest(entity=component("demo"), path="added/")
    added = (await site.client.docs.GetContent(request)).body.data
    assert (await scene.objects.all())["default/component/demo/added/index.html"] == added

    await site.client.sites.RollbackSite(sites_pb2.RollbackSiteRequest(entity=component("demo"), revision=first))
    await scene.mirrored(first)
    assert "default/component/demo/added/index.html" in await scene.objects.names(), "for who reads an old page"
    await site.service.terminate()
    async with restarted(site):

        async def is_tidy() -> bool:
            return await scene.objects.names() == set(objects)

        await eventually(is_tidy, timeout_seconds=MIRRORED_SECONDS, what="what is not in the site is gone")
    assert await scene.objects.all() == objects


async def test_a_bucket_that_fails_fails_no_publish_and_is_caught_up_with(scene: Scene) -> None:
    site = scene.site
    site.add("demo")
    scene.proxy.answer_always = 500
    scene.proxy.hang_up()
    published = await site.sync("demo")
    assert published.updated
    assert "generation-0" in await site.page("demo")
    await eventually(lambda: "mirror_failed" in site.service.logged(), timeout_seconds=30, what="it is told")
    await site.service.kill()
    scene.proxy.answer_always = None
    async with restarted(site):
        await scene.mirrored(published.revision)
