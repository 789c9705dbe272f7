"""What a process publishes and reads with, several times over one PostgreSQL and one bucket, in one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from techdocs_server.adapters.blobs.caching import CachingBlobStore
from techdocs_server.adapters.clock import SystemClock
from techdocs_server.adapters.records.caching_sites import CachingSiteRecords
from techdocs_server.adapters.records.engine import SqlDatabase
from techdocs_server.adapters.records.migrations.upgrade import upgrade
from techdocs_server.adapters.records.postgresql_feed import Heard, PostgreSQLFeed
from techdocs_server.adapters.records.sql_dooming import SqlBlobDooming
from techdocs_server.adapters.records.sql_leases import SqlBlobLeases
from techdocs_server.adapters.records.sql_revisions import SqlRevisionSweeping
from techdocs_server.adapters.records.sql_sites import SqlSiteRecords
from techdocs_server.adapters.site_files.local import LocalSiteFiles
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.site import SitePointer
from techdocs_server.ports.blob_leases import BlobLeases
from techdocs_server.ports.blobs import SweepableBlobStore
from techdocs_server.ports.generator import GeneratedSite
from techdocs_server.ports.records import SiteRecords
from techdocs_server.services.committing import Published
from techdocs_server.services.patience import NONE
from techdocs_server.services.publishing import Publisher, SiteToPublish
from techdocs_server.services.reading import SiteReader

from tests.support.collecting import QUICK, ShiftedClock, World
from tests.support.postgresql import PostgreSQL
from tests.support.seaweedfs import SeaweedFS
from tests.support.sites import write_files
from tests.support.stores import s3_store
from tests.support.waiting import eventually

T = TypeVar("T")


def unchanged(store: T) -> T:
    """Return a store as it is."""
    return store


@dataclass
class PublishingReplica:
    """The object graph of one process, as far as it publishes and reads."""

    database: SqlDatabase
    blobs: SweepableBlobStore
    sites: CachingSiteRecords
    files: LocalSiteFiles

    async def publish(
        self,
        entity: EntityRef,
        root: Path,
        pages: Mapping[str, str],
        *,
        source: str,
        expected: SitePointer | None,
        wrap_blobs: Callable[[SweepableBlobStore], SweepableBlobStore] = unchanged,
        wrap_sites: Callable[[SiteRecords], SiteRecords] = unchanged,
        wrap_leases: Callable[[BlobLeases], BlobLeases] = unchanged,
    ) -> Published:
        """Publish pages by way of a folder, through stores that a test may put something in front of."""
        write_files(root, pages)
        blobs, sites = wrap_blobs(self.blobs), wrap_sites(self.sites)
        leases = wrap_leases(SqlBlobLeases(self.database, wait=QUICK))
        publisher = Publisher(sites, blobs, self.files, SiteReader(sites, blobs), leases, SystemClock(), patience=NONE)
        site = SiteToPublish(entity, root, GeneratedSite("Docs", ""), source, "builds/1", expected)
        return await publisher.publish(site)

    async def read(self, entity: EntityRef) -> tuple[str, dict[str, str]]:
        """Return the current revision, and what is in it but for the metadata."""
        reader = SiteReader(self.sites, self.blobs)
        view = await reader.open_own(entity)
        paths = [path for path in view.manifest.paths if path != "techdocs_metadata.json"]
        return view.revision, {path: (await reader.read_all(view, view.locate(path))).decode() for path in paths}

    def world(self) -> World:
        """Return the same stores as a collector sees them."""
        dooming = SqlBlobDooming(self.database, wait=QUICK)
        leases = SqlBlobLeases(self.database, wait=QUICK)
        return World(self.blobs, self.sites, leases, dooming, SqlRevisionSweeping(self.database), ShiftedClock())


@asynccontextmanager
async def publishing_replicas(
    count: int, s3: SeaweedFS, server: PostgreSQL, prefix: str
) -> AsyncIterator[list[PublishingReplica]]:
    """Open a number of replicas over the same new stores, each hearing of the others."""
    url = server.new_database()
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(_replica(s3, url, prefix)) for _ in range(count)]


@asynccontextmanager
async def _replica(s3: SeaweedFS, url: str, prefix: str) -> AsyncIterator[PublishingReplica]:
    database, store = SqlDatabase(url), s3_store(s3.endpoint, prefix=prefix)
    files = LocalSiteFiles(max_bytes=10**7, max_files=1000)
    try:
        await upgrade(database)
        sites = CachingSiteRecords(SqlSiteRecords(database))
        found = asyncio.Event()

        def hears() -> None:
            found.set()
            sites.found()

        heard = Heard(site=sites.heard, build=lambda _: None, lost=sites.lost, found=hears)
        feed = asyncio.create_task(PostgreSQLFeed(url.replace("+psycopg", ""), heard).run())
        try:
            await eventually(found.is_set, what="the replica hears of the others")
            blobs = CachingBlobStore(store, max_bytes=10**7, max_blob_bytes=10**6)
            yield PublishingReplica(database, blobs, sites, files)
        finally:
            feed.cancel()
            await asyncio.gather(feed, return_exceptions=True)
    finally:
        files.close()
        await store.close()
        await database.close()
