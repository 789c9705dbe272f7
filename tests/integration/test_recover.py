"""The database is lost, and ``techdocs recover`` makes it again: with real processes, over both pairs of stores."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest
from techdocs.v1 import admin_pb2, builds_pb2, docs_pb2, sites_pb2
from techdocs_server.adapters.records.engine import SqlDatabase
from techdocs_server.adapters.records.migrations.upgrade import upgrade
from techdocs_server.adapters.records.sql_dooming import SqlBlobDooming
from techdocs_server.ports.site_snapshots import SiteSnapshots

from tests.support.postgresql import PostgreSQL
from tests.support.published import Catalog
from tests.support.record_values import entity
from tests.support.replicas import shared_stores
from tests.support.rpc_client import Client, component, connected, problem
from tests.support.seaweedfs import SeaweedFS
from tests.support.services import environment, running
from tests.support.snapshots import found, snapshot
from tests.support.stores import open_site_snapshots
from tests.support.waiting import eventually


@dataclass
class Stores:
    """Where a service keeps things, and how its database is lost."""

    folder: Path
    settings: dict[str, object]
    postgresql: PostgreSQL | None = None
    s3: SeaweedFS | None = None

    def lose_database(self) -> None:
        """Delete the file, or let the settings name an empty database."""
        if self.postgresql is not None:
            self.settings["database_url"] = self.postgresql.new_database().replace("+psycopg", "")
            return
        for path in (self.folder / "data").glob("records.sqlite3*"):
            path.unlink()


@pytest.fixture(params=["folder+sqlite", "s3+postgresql"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Stores:
    made = Stores(tmp_path, {"data_directory": tmp_path / "data"})
    if request.param == "s3+postgresql":
        made.postgresql, made.s3 = request.getfixturevalue("postgresql_server"), request.getfixturevalue("s3_server")
        made.settings |= shared_stores(made.s3, made.postgresql, f"{tmp_path.name}/")
    return made


async def recovered(stores: Stores, *options: str) -> tuple[int, str]:
    """Run the command and return its exit status and all that it says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "techdocs_server", "recover", *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment(stores.settings),
        cwd=stores.folder,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


async def state(client: Client, name: str) -> tuple[str, bytes, list[tuple[str, bool, bool]]]:
    """Return what readers can know of a site, but for its etag."""
    content = await client.docs.GetContent(docs_pb2.GetContentRequest(entity=component(name)))
    listed = await client.sites.ListRevisions(sites_pb2.ListRevisionsRequest(entity=component(name)))
    revisions = [(each.revision, each.current, each.pinned) for each in listed.revisions]
    return content.info.revision, content.body.data, revisions


async def etag(client: Client, name: str) -> str:
    return (await client.sites.GetSite(sites_pb2.GetSiteRequest(entity=component(name)))).site.etag


async def sync(client: Client, name: str) -> builds_pb2.SyncSiteResponse:
    return await client.builds.SyncSite(builds_pb2.SyncSiteRequest(entity=component(name)))


async def two_generations(client: Client, catalog: Catalog, name: str) -> str:
    """Build a site twice and return its first revision."""
    first = (await sync(client, name)).revision
    catalog.write(name, "index.md", f"# {name}\n\nThis is generation-1.\n")
    assert (await sync(client, name)).updated
    return first


async def test_lost_database_is_made_again_from_the_store(stores: Stores) -> None:
    catalog = Catalog(stores.folder / "catalog")
    for name in ("rolled-back", "pinned", "gone"):
        catalog.add(name, {"index.md": f"# {name}\n\nThis is generation-0.\n"})
    settings = {**stores.settings, "catalog": catalog.folder, "gc_grace_seconds": 0}
    async with running("serve", stores.folder, **settings) as service, connected(service.grpc) as client:
        rolled_back = await two_generations(client, catalog, "rolled-back")
        pinned = await two_generations(client, catalog, "pinned")
        await sync(client, "gone")
        request = sites_pb2.RollbackSiteRequest(entity=component("rolled-back"), revision=rolled_back)
        await client.sites.RollbackSite(request)
        await client.sites.PinRevision(sites_pb2.PinRevisionRequest(entity=component("pinned"), revision=pinned))
        await client.sites.DeleteSite(sites_pb2.DeleteSiteRequest(entity=component("gone")))
        lost = {name: await state(client, name) for name in ("rolled-back", "pinned")}
        etags = {name: await etag(client, name) for name in lost}
        async with opened_snapshots(stores) as snapshots:
            await eventually(lambda: knows_all(snapshots, rolled_back), what="the store knows of every change")
        await service.kill()

    stores.lose_database()
    refused = await started_in_vain(stores, settings)
    assert "techdocs recover" in refused
    status, said = await recovered(stores)
    assert status == 0, said
    assert f"component:default/rolled-back: recovered: serves {rolled_back[:12]}, has 2 revisions" in said
    assert "3 sites: 2 recovered, 1 deleted before" in said

    settings = {**settings, **stores.settings}
    async with running("serve", stores.folder, **settings) as service, connected(service.grpc) as client:
        for name, before in lost.items():
            assert await state(client, name) == before
            assert await etag(client, name) != etags[name]
            assert not (await sync(client, name)).updated, "the source is the one that was synced last"
        gone = await problem(client.docs.GetContent(docs_pb2.GetContentRequest(entity=component("gone"))))
        assert gone.reason == "SITE_NOT_FOUND"
        await client.admin.CollectGarbage(admin_pb2.CollectGarbageRequest())
        for name, (_, _, revisions) in lost.items():
            for revision, _, _ in revisions:
                await client.docs.GetContent(docs_pb2.GetContentRequest(entity=component(name), revision=revision))
            assert await state(client, name) == lost[name]


async def test_recovery_says_what_it_could_not_recover(tmp_path: Path) -> None:
    stores = Stores(tmp_path, {"data_directory": tmp_path / "data"})
    status, said = await recovered(stores)
    assert (status, "no records of sites" in said) == (1, True)
    async with opened_snapshots(stores) as snapshots:
        await snapshots.write(snapshot(entity("docs"), 5))
    # A dry run says the same and leaves the database empty; a run makes the row that keeps the site's version.
    for options in (["--dry-run"], ["--force", "--no-verify"]):
        status, said = await recovered(stores, *options)
        assert status == 1
        assert "component:default/docs: NOT recovered" in said
        assert "its manifest is not in the store" in said
        assert "gc_interval_seconds" in said
    status, said = await recovered(stores)
    assert (status, "knows of sites already" in said) == (1, True)


async def test_nothing_is_recovered_while_garbage_is_collected(
    tmp_path: Path, s3_server: SeaweedFS, postgresql_server: PostgreSQL
) -> None:
    settings = shared_stores(s3_server, postgresql_server, f"{tmp_path.name}/")
    stores = Stores(tmp_path, {"data_directory": tmp_path / "data", **settings}, postgresql_server, s3_server)
    database = SqlDatabase(str(settings["database_url"]).replace("postgresql:", "postgresql+psycopg:"))
    try:
        await upgrade(database)
        async with SqlBlobDooming(database).collecting():
            status, said = await recovered(stores)
    finally:
        await database.close()
    assert (status, "garbage is being collected" in said) == (1, True), said


async def knows_all(snapshots: SiteSnapshots, rolled_back: str) -> bool:
    """Whether the store knows of the rollback, of the pin and of the deletion."""
    sites = {each.entity.name: each.snapshot for each in await found(snapshots)}
    other, kept, gone = sites.get("rolled-back"), sites.get("pinned"), sites.get("gone")
    if other is None or kept is None or gone is None:
        return False
    is_rolled_back = other.pointer is not None and other.pointer.revision == rolled_back
    return is_rolled_back and any(each.is_pinned for each in kept.revisions) and gone.pointer is None


def opened_snapshots(stores: Stores) -> AbstractAsyncContextManager[SiteSnapshots]:
    if stores.postgresql is None:
        return open_site_snapshots("filesystem", stores.folder / "data")
    return open_site_snapshots("s3", stores.folder, stores.s3)


async def started_in_vain(stores: Stores, settings: Mapping[str, object]) -> str:
    """Start a server that must not come up; return its log."""
    with pytest.raises(AssertionError) as raised:
        async with running("server", stores.folder, **{**settings, **stores.settings}):
            pass
    return str(raised.value)
