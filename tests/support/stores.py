"""Every implementation of the storing ports, opened for a test and closed after it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from techdocs_server.adapters.blobs.caching import CachingBlobStore
from techdocs_server.adapters.blobs.filesystem import FilesystemBlobStore
from techdocs_server.adapters.blobs.memory import MemoryBlobStore
from techdocs_server.adapters.records.caching_sites import CachingSiteRecords
from techdocs_server.adapters.records.engine import SqlDatabase
from techdocs_server.adapters.records.memory import MemoryBuildRecords, MemorySiteRecords
from techdocs_server.adapters.records.migrations.upgrade import upgrade
from techdocs_server.adapters.records.sql_builds import SqlBuildRecords
from techdocs_server.adapters.records.sql_sites import SqlSiteRecords
from techdocs_server.adapters.variants.filesystem import FilesystemVariantStore
from techdocs_server.adapters.variants.memory import MemoryVariantStore
from techdocs_server.ports.blobs import BlobStore
from techdocs_server.ports.records import BuildRecords, SiteRecords
from techdocs_server.ports.variants import VariantStore

BLOB_STORES = ("memory", "filesystem", "caching-memory", "caching-filesystem")
SITE_RECORDS = ("memory", "sql", "caching-sql")
BUILD_RECORDS = ("memory", "sql")
VARIANT_STORES = ("memory", "filesystem")


@asynccontextmanager
async def open_database(folder: Path) -> AsyncIterator[SqlDatabase]:
    """Open the SQLite database of a folder, up to date."""
    database = SqlDatabase(f"sqlite:///{folder / 'records.sqlite'}")
    try:
        await upgrade(database)
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def open_blob_store(kind: str, folder: Path) -> AsyncIterator[BlobStore]:
    """Open one of `BLOB_STORES`."""
    if kind.startswith("caching-"):
        async with open_blob_store(kind.removeprefix("caching-"), folder) as inner:
            yield CachingBlobStore(inner, max_bytes=4 * 1024 * 1024, max_blob_bytes=512 * 1024)
    elif kind == "memory":
        yield MemoryBlobStore()
    else:
        store = FilesystemBlobStore(folder / "blobs")
        try:
            yield store
        finally:
            await store.close()


@asynccontextmanager
async def open_site_records(kind: str, folder: Path) -> AsyncIterator[SiteRecords]:
    """Open one of `SITE_RECORDS`."""
    if kind == "memory":
        yield MemorySiteRecords()
        return
    async with open_database(folder) as database:
        records = SqlSiteRecords(database)
        yield CachingSiteRecords(records) if kind == "caching-sql" else records


@asynccontextmanager
async def open_build_records(kind: str, folder: Path) -> AsyncIterator[BuildRecords]:
    """Open one of `BUILD_RECORDS`."""
    if kind == "memory":
        yield MemoryBuildRecords()
        return
    async with open_database(folder) as database:
        yield SqlBuildRecords(database)


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
