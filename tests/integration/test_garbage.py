"""Deletion, retention and collection in a running service, over REST and gRPC."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from techdocs.v1 import admin_pb2, sites_pb2

from tests.integration.build_control import Site, building
from tests.integration.test_other_stores import objects
from tests.support.postgresql import PostgreSQL
from tests.support.published import Catalog, Deployment, deployed, site_path
from tests.support.replicas import shared_stores
from tests.support.rpc_client import component
from tests.support.seaweedfs import SeaweedFS
from tests.support.waiting import eventually

SITE = "/v1/sites/default/component/demo"
PAGE = "# Welcome\n\nEdition {}.\n"


def files(deployment: Deployment) -> set[str]:
    return {path.parent.name + path.name for path in (deployment.data / "blobs").glob("[0-9a-f][0-9a-f]/*")}


def end_leases(deployment: Deployment) -> None:
    """Let the two hours pass for which builds leased what they stored."""
    with closing(sqlite3.connect(deployment.data / "records.sqlite3")) as database, database:
        database.execute("DELETE FROM blob_leases")


async def editions(deployment: Deployment, count: int) -> list[str]:
    """Publish so many revisions and return them, oldest first."""
    for number in range(count):
        deployment.catalog.write("demo", "index.md", PAGE.format(number))
        await deployment.sync("demo")
    async with httpx.AsyncClient(base_url=deployment.rest) as client:
        listed = (await client.get(f"{SITE}/revisions")).json()["revisions"]
    return [revision["revision"] for revision in reversed(listed)]


@pytest.fixture
async def catalog(tmp_path: Path) -> Catalog:
    made = Catalog(tmp_path / "catalog")
    made.add("demo")
    return made


async def test_deleted_revision_leaves_the_disk_and_the_others_are_served(tmp_path: Path, catalog: Catalog) -> None:
    settings = {"gc_grace_seconds": 0.01, "compress_variants": False, "gc_interval_seconds": 0}
    async with deployed(tmp_path, catalog, server=settings) as deployment:
        first, second, third = await editions(deployment, 3)
        async with httpx.AsyncClient(base_url=deployment.rest, timeout=60) as client:
            assert (await client.post(f"{SITE}/revisions/{second}:pin", json={})).json()["pinned"] is True
            refused = await client.delete(f"{SITE}/revisions/{second}")
            assert (refused.status_code, refused.json()["error"]["details"][0]["reason"]) == (409, "REVISION_PINNED")
            refused = await client.delete(f"{SITE}/revisions/{third}")
            assert refused.json()["error"]["details"][0]["reason"] == "REVISION_IS_CURRENT"
            assert (await client.delete(f"{SITE}/revisions/{first}")).status_code == 200
            assert (await client.get(site_path(), params={"revision": first})).status_code == 404
            end_leases(deployment)
            before = files(deployment)
            done = (await client.post("/v1/garbage:collect", json={})).json()
            assert int(done["forgottenRevisions"]) == 1
            assert first not in files(deployment)
            assert {second, third} <= files(deployment) <= before
            for revision, edition in ((second, 1), (third, 2)):
                page = await client.get(site_path(), params={"revision": revision})
                assert f"Edition {edition}." in page.text
            changes = (
                await client.get(
                    "/v1/changes",
                    params={"entity.namespace": "default", "entity.kind": "component", "entity.name": "demo"},
                )
            ).json()["changes"]
            assert [change["action"] for change in changes[:2]] == [
                "SITE_ACTION_REVISION_DELETED",
                "SITE_ACTION_REVISION_PINNED",
            ]


async def test_server_collects_by_itself(tmp_path: Path, catalog: Catalog) -> None:
    settings = {"gc_interval_seconds": 0.3, "retention_revisions": 1, "retention_days": 0, "compress_variants": False}
    async with deployed(tmp_path, catalog, server=settings) as deployment:
        revisions: list[dict[str, object]] = []
        for number in range(2):
            deployment.catalog.write("demo", "index.md", PAGE.format(number))
            await deployment.sync("demo")
        async with httpx.AsyncClient(base_url=deployment.rest) as client:

            async def one_is_left() -> bool:
                revisions[:] = (await client.get(f"{SITE}/revisions")).json()["revisions"]
                return len(revisions) == 1

            await eventually(one_is_left, what="the older revision is deleted")
            assert revisions[0]["current"] is True
            changes = (await client.get("/v1/changes")).json()["changes"]
            assert (changes[0]["action"], changes[0]["actor"]) == ("SITE_ACTION_REVISION_DELETED", "system")


@pytest.fixture
async def site(tmp_path: Path, s3_server: SeaweedFS, postgresql_server: PostgreSQL) -> AsyncIterator[Site]:
    settings = shared_stores(s3_server, postgresql_server, f"{tmp_path.name}/")
    async with building(tmp_path, role="serve", gc_grace_seconds=0, **settings) as running:
        yield running


async def test_collection_in_a_bucket_beside_builds_leaves_whole_sites(site: Site, s3_server: SeaweedFS) -> None:
    site.add("demo", "other")
    for name in ("demo", "other"):
        await site.sync(name)
    request = sites_pb2.DeleteSiteRequest(entity=component("other"))
    await site.client.sites.DeleteSite(request)
    before = await asyncio.to_thread(objects, s3_server.client, f"{site.folder.name}/")

    async def collect() -> None:
        for _ in range(5):
            await site.client.admin.CollectGarbage(admin_pb2.CollectGarbageRequest())

    async def build() -> None:
        for number in range(1, 4):
            site.edit("demo", number)
            await site.sync("demo")

    await asyncio.gather(collect(), build())
    assert "generation-3" in await site.page("demo")
    listed = await site.client.sites.ListRevisions(sites_pb2.ListRevisionsRequest(entity=component("demo")))
    assert len(listed.revisions) == 4
    after = await asyncio.to_thread(objects, s3_server.client, f"{site.folder.name}/")
    assert set(after) - set(before)
