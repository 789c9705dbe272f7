"""Every implementation of the storing ports, opened for a test and closed after it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from techdocs_server.adapters.blobs.caching import CachingBlobStore
from techdocs_server.adapters.blobs.filesystem import FilesystemBlobStore
from techdocs_server.adapters.blobs.memory import MemoryBlobStore
from techdocs_server.adapters.blobs.s3 import CONNECTIONS, S3BlobStore
from techdocs_server.adapters.blobs.s3_client import S3Credentials, S3Location, make_client
from techdocs_server.adapters.records.caching_sites import CachingSiteRecords
from techdocs_server.adapters.records.doom_wait import DoomWait
from techdocs_server.adapters.records.engine import SqlDatabase
from techdocs_server.adapters.records.memory import MemoryBuildRecords, MemorySiteRecords
from techdocs_server.adapters.records.memory_leases import MemoryBlobLeases
from techdocs_server.adapters.records.migrations.upgrade import upgrade
from techdocs_server.adapters.records.sql_builds import SqlBuildRecords
from techdocs_server.adapters.records.sql_changes import SqlChangeRecords
from techdocs_server.adapters.records.sql_dooming import SqlBlobDooming
from techdocs_server.adapters.records.sql_leases import SqlBlobLeases
from techdocs_server.adapters.records.sql_revisions import SqlRevisionSweeping
from techdocs_server.adapters.records.sql_sites import SqlSiteRecords
from techdocs_server.adapters.snapshots.filesystem import FilesystemSiteSnapshots
from techdocs_server.adapters.snapshots.memory import MemorySiteSnapshots
from techdocs_server.adapters.snapshots.s3 import S3SiteSnapshots
from techdocs_server.adapters.variants.filesystem import FilesystemVariantStore
from techdocs_server.adapters.variants.memory import MemoryVariantStore
from techdocs_server.ports.blob_leases import BlobLeases
from techdocs_server.ports.blobs import SweepableBlobStore
from techdocs_server.ports.changes import ChangeRecords
from techdocs_server.ports.dooming import BlobDooming
from techdocs_server.ports.records import BuildRecords, SiteRecords
from techdocs_server.ports.retention import RevisionSweeping
from techdocs_server.ports.site_snapshots import SiteSnapshots
from techdocs_server.ports.variants import VariantStore

from tests.support.postgresql import PostgreSQL
from tests.support.seaweedfs import ACCESS_KEY, BUCKET, SECRET_KEY, SeaweedFS

BLOB_STORES = ("memory", "filesystem", "s3", "caching-memory", "caching-filesystem", "caching-s3")
SITE_RECORDS = ("memory", "sqlite", "postgresql", "caching-sqlite")
BUILD_RECORDS = ("memory", "sqlite", "postgresql")
VARIANT_STORES = ("memory", "filesystem")
SITE_SNAPSHOTS = ("memory", "filesystem", "s3")


@asynccontextmanager
async def open_database(folder: Path, server: PostgreSQL | None = None) -> AsyncIterator[SqlDatabase]:
    """Open the SQLite database of a folder, or a new one of a server, up to date."""
    database = SqlDatabase(f"sqlite:///{folder / 'records.sqlite'}" if server is None else server.new_database())
    try:
        await upgrade(database)
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def open_blob_store(
    kind: str, folder: Path, server: SeaweedFS | None = None
) -> AsyncIterator[SweepableBlobStore]:
    """Open one of `BLOB_STORES`; those in S3 need a server, and get a prefix of their own in its bucket."""
    if kind.startswith("caching-"):
        async with open_blob_store(kind.removeprefix("caching-"), folder, server) as inner:
            yield CachingBlobStore(inner, max_bytes=4 * 1024 * 1024, max_blob_bytes=512 * 1024)
    elif kind == "memory":
        yield MemoryBlobStore()
    elif kind == "s3":
        assert server is not None
        s3 = s3_store(server.endpoint, prefix=f"{uuid.uuid4().hex}/")
        try:
            yield s3
        finally:
            await s3.close()
    else:
        store = FilesystemBlobStore(folder / "blobs")
        try:
            yield store
        finally:
            await store.close()


@asynccontextmanager
async def open_site_snapshots(kind: str, folder: Path, server: SeaweedFS | None = None) -> AsyncIterator[SiteSnapshots]:
    """Open one of `SITE_SNAPSHOTS` in a folder, or below a prefix named as the folder is in the bucket of a server."""
    if kind == "memory":
        yield MemorySiteSnapshots()
        return
    store: FilesystemSiteSnapshots | S3SiteSnapshots
    if kind == "filesystem":
        store = FilesystemSiteSnapshots(folder / "sites")
    else:
        assert server is not None
        location = S3Location(server.endpoint, BUCKET, f"{folder.name}/", region="us-east-1")
        client, _ = make_client(location, S3Credentials(ACCESS_KEY, SECRET_KEY), connections=2)
        store = S3SiteSnapshots(client, location)
    try:
        yield store
    finally:
        await store.close()


def s3_store(
    endpoint: str, *, bucket: str = BUCKET, prefix: str = "", secret_key: str = SECRET_KEY, read_seconds: float = 20
) -> S3BlobStore:
    """Return a store in a bucket of a server, with the tests' keys."""
    location = S3Location(endpoint, bucket, prefix, region="us-east-1")
    credentials = S3Credentials(ACCESS_KEY, secret_key)
    client, pool = make_client(location, credentials, connections=CONNECTIONS, read_seconds=read_seconds)
    return S3BlobStore(client, pool, location)


@asynccontextmanager
async def open_site_records(kind: str, folder: Path, server: PostgreSQL | None = None) -> AsyncIterator[SiteRecords]:
    """Open one of `SITE_RECORDS`; PostgreSQL needs a server."""
    if kind == "memory":
        yield MemorySiteRecords()
        return
    async with open_database(folder, server) as database:
        records = SqlSiteRecords(database)
        yield CachingSiteRecords(records) if kind.startswith("caching-") else records


@asynccontextmanager
async def open_build_records(kind: str, folder: Path, server: PostgreSQL | None = None) -> AsyncIterator[BuildRecords]:
    """Open one of `BUILD_RECORDS`; PostgreSQL needs a server."""
    if kind == "memory":
        yield MemoryBuildRecords()
        return
    async with open_database(folder, server) as database:
        yield SqlBuildRecords(database)


@dataclass(frozen=True, slots=True)
class Records:
    """All records of one service."""

    sites: SiteRecords
    builds: BuildRecords
    changes: ChangeRecords
    leases: BlobLeases
    dooming: BlobDooming
    sweeping: RevisionSweeping


@asynccontextmanager
async def open_records(
    kind: str,
    folder: Path,
    server: PostgreSQL | None = None,
    *,
    wait: DoomWait = DoomWait(),  # noqa: B008 - it does not change
) -> AsyncIterator[Records]:
    """Open all records of one of `BUILD_RECORDS`; PostgreSQL needs a server. ``wait`` is for what is doomed."""
    if kind == "memory":
        builds = MemoryBuildRecords()
        sites = MemorySiteRecords(builds)
        sites.sweeping.leases = MemoryBlobLeases(wait=wait)
        yield Records(sites, builds, sites.changes, sites.sweeping.leases, sites.sweeping.leases, sites.sweeping)
        return
    async with open_database(folder, server) as database:
        yield Records(
            SqlSiteRecords(database),
            SqlBuildRecords(database),
            SqlChangeRecords(database),
            SqlBlobLeases(database, wait=wait),
            SqlBlobDooming(database, wait=wait),
            SqlRevisionSweeping(database),
        )


@asynccontextmanager
async def open_variant_store(kind: str, folder: Path) -> AsyncIterator[VariantStore]:
    """Open one of `VARIANT_STORES`."""
    if kind == "memory":
        yield MemoryVariantStore()
        return
    store = FilesystemVariantStore(folder / "variants")
    try:
        yield store
    finally:
        await store.close()
