"""The stores, made from settings: of contents, of records, and what Backstage's own tools have stored."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import urllib3
from minio import Minio
from pydantic import SecretStr

from techdocs_server.adapters.blobs.caching import CachingBlobStore
from techdocs_server.adapters.blobs.filesystem import FilesystemBlobStore
from techdocs_server.adapters.blobs.s3 import CONNECTIONS, S3BlobStore
from techdocs_server.adapters.blobs.s3_client import S3Credentials, S3Location, make_client
from techdocs_server.adapters.classic import s3 as classic_s3
from techdocs_server.adapters.classic import s3_writer
from techdocs_server.adapters.classic.s3 import S3ClassicBucket
from techdocs_server.adapters.classic.s3_writer import S3ClassicWriter
from techdocs_server.adapters.records.caching_sites import CachingSiteRecords
from techdocs_server.adapters.records.engine import SqlDatabase
from techdocs_server.adapters.records.migrations.upgrade import upgrade
from techdocs_server.adapters.records.postgresql_feed import Heard
from techdocs_server.adapters.records.server_lock import DatabaseInUse, ServerLock
from techdocs_server.adapters.records.sql_builds import SqlBuildRecords
from techdocs_server.adapters.records.sql_changes import SqlChangeRecords
from techdocs_server.adapters.records.sql_saved_sites import SqlSavedSites
from techdocs_server.adapters.records.sql_sites import SqlSiteRecords
from techdocs_server.adapters.snapshots.filesystem import FilesystemSiteSnapshots
from techdocs_server.adapters.snapshots.s3 import S3SiteSnapshots
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.ports.blobs import SweepableBlobStore
from techdocs_server.ports.classic import ClassicBucket
from techdocs_server.ports.classic_writer import ClassicWriter
from techdocs_server.ports.records import BuildRecords
from techdocs_server.ports.site_snapshots import SiteSnapshots
from techdocs_server.services.build_events import BuildEvents
from techdocs_server.services.site_changes import SiteChanges
from techdocs_server.services.snapshotting import Snapshotter
from techdocs_server.settings import Settings
from techdocs_server.start_failed import StartFailed

# Enough for the pages that readers of a few hundred sites want today; a page is about 70 KB.
_CACHED_BYTES = 128 * 1024**2
_CACHED_BLOB_BYTES = 1024**2

# What a notice that is lost without a trace can cost a reader.
_MOST_STALE_SECONDS = 10.0

Own = Callable[[Callable[[], Awaitable[object]]], None]
"""Takes what closes a store."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The store of contents: blobs, and what it knows of sites."""

    blobs: SweepableBlobStore
    snapshots: SiteSnapshots


async def open_contents(settings: Settings, folder: Path, own: Own) -> Contents:
    """Open the store of contents. Raises `StartFailed` and `StorageUnavailable`."""
    return _filesystem(folder, own) if settings.s3_bucket is None else await _s3(settings, settings.s3_bucket, own)


def cached(blobs: SweepableBlobStore) -> CachingBlobStore:
    """Return a store with what was read lately in memory."""
    return CachingBlobStore(blobs, max_bytes=_CACHED_BYTES, max_blob_bytes=_CACHED_BLOB_BYTES)


def _filesystem(folder: Path, own: Own) -> Contents:
    store = FilesystemBlobStore(folder / "blobs")
    own(store.close)
    snapshots = FilesystemSiteSnapshots(folder / "sites")
    own(snapshots.close)
    return Contents(store, snapshots)


async def _s3(settings: Settings, bucket: str, own: Own) -> Contents:
    location = S3Location(
        settings.s3_endpoint, bucket, settings.s3_prefix or "", settings.s3_region, settings.s3_encryption or ""
    )
    client, pool = _client(settings, location, CONNECTIONS)
    try:
        store = S3BlobStore(client, pool, location)
    except ValueError as error:
        raise StartFailed(f"s3_encryption: {error}") from error
    own(store.close)
    snapshots = S3SiteSnapshots(client, location)
    own(snapshots.close)
    try:
        await store.check()
    except StorageUnavailable as error:
        raise StartFailed(f"s3_bucket: {error.message}") from error
    return Contents(store, snapshots)


async def open_classic(settings: Settings, own: Own) -> ClassicBucket | None:
    """Open the bucket that Backstage's own tools fill, if there is one. Raises `StartFailed`."""
    if settings.backstage_bucket is None:
        return None
    location = S3Location(settings.s3_endpoint, settings.backstage_bucket, region=settings.s3_region)
    client, pool = _client(settings, location, classic_s3.CONNECTIONS)
    bucket = S3ClassicBucket(
        client,
        pool,
        settings.backstage_bucket,
        settings.backstage_prefix or "",
        case_preserved=settings.backstage_case == "preserved",
    )
    own(bucket.close)
    try:
        await bucket.check()
    except StorageUnavailable as error:
        raise StartFailed(f"backstage_bucket: {error.message}") from error
    return bucket


def open_classic_writer(settings: Settings, own: Own) -> ClassicWriter:
    """Open that bucket for writing. Raises `StartFailed`."""
    bucket = settings.backstage_bucket or ""
    location = S3Location(settings.s3_endpoint, bucket, region=settings.s3_region)
    client, pool = _client(settings, location, s3_writer.CONNECTIONS)
    writer = S3ClassicWriter(client, pool, bucket, settings.backstage_prefix or "")
    own(writer.close)
    return writer


def _client(settings: Settings, location: S3Location, connections: int) -> tuple[Minio, urllib3.PoolManager]:
    credentials = S3Credentials(
        _shown(settings.s3_access_key),
        _shown(settings.s3_secret_key),
        _shown(settings.s3_session_token) or None,
        settings.s3_credentials_file,
        settings.s3_credentials_profile,
    )
    try:
        return make_client(location, credentials, connections=connections, ca_certificates=settings.s3_ca_certificates)
    except OSError as error:
        raise StartFailed(f"s3_ca_certificates: {settings.s3_ca_certificates}: {error.strerror or error}") from error
    except ValueError as error:
        raise StartFailed(f"s3_endpoint: {error}") from error


def _shown(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""


def shares_stores(settings: Settings) -> bool:
    """Whether contents and records are both where other processes find them too."""
    return settings.database_url is not None and settings.s3_bucket is not None


def conninfo(settings: Settings) -> str:
    """Return the address of the PostgreSQL as its driver reads it."""
    return _shown(settings.database_url).replace("postgresql+psycopg://", "postgresql://", 1)


async def open_database(settings: Settings, folder: Path, own: Own) -> SqlDatabase:
    """Open the database and bring it up to date. Raises `StartFailed` and `StorageUnavailable`.

    Whoever keeps contents on its own disk keeps others out: they would not find them.
    """
    if settings.database_url is None:
        database = SqlDatabase(f"sqlite:///{folder / 'records.sqlite3'}")
        own(database.close)
        await upgrade(database)
        return database
    # The driver that this service brings; the URL's own name for it would be another package.
    url = settings.database_url.get_secret_value().replace("postgresql://", "postgresql+psycopg://", 1)
    try:
        database = SqlDatabase(url)
    except (ValueError, ImportError) as error:
        raise StartFailed("database_url: it is not a URL that names a user, a host and a database") from error
    own(database.close)
    try:
        if not shares_stores(settings):
            own((await ServerLock.take(url)).release)
        await upgrade(database)
    except StorageUnavailable as error:
        raise StartFailed(f"database_url: {error.message}") from error
    except DatabaseInUse as error:
        raise StartFailed(
            "database_url: another techdocs server uses this database; stop it, name another, or let servers share "
            "their contents too by s3_bucket"
        ) from error
    return database


@dataclass(frozen=True, slots=True)
class ServiceStores:
    """The stores, and who is told of what happens in them."""

    database: SqlDatabase
    uncached_blobs: SweepableBlobStore
    blobs: CachingBlobStore
    sites: CachingSiteRecords
    builds: BuildRecords
    events: BuildEvents
    changes: SiteChanges
    listeners: list[Callable[[EntityRef], None]]
    """Called for each site that this process may have changed, or hears that another one has."""
    snapshotter: Snapshotter

    @property
    def heard(self) -> Heard:
        """What is to be called when another process has done something."""
        return Heard(site=self._heard_site, build=self.events.heard, lost=self.sites.lost, found=self._found)

    def _heard_site(self, entity: EntityRef) -> None:
        self.sites.heard(entity)
        for listener in self.listeners:
            listener(entity)

    def _found(self) -> None:
        self.sites.found()
        self.events.heard_too_little()
        self.changes.heard()


async def _has_any(snapshots: SiteSnapshots) -> bool:
    async for _ in snapshots.newest():
        return True
    return False


async def open_stores(settings: Settings, folder: Path, own: Own) -> ServiceStores:
    """Open everything that is kept. Raises `StartFailed` and `StorageUnavailable`."""
    contents = await open_contents(settings, folder, own)
    database = await open_database(settings, folder, own)
    saved_sites = SqlSavedSites(database)
    if not await saved_sites.has_sites() and await _has_any(contents.snapshots):
        # To go on would cost the history: what no record names is garbage to the next collection.
        raise StartFailed(
            "the database is empty, and the store of contents has records of sites: the database was lost, or is "
            "another one. Run techdocs recover; to begin anew remove sites/ from the store"
        )
    builds = SqlBuildRecords(database)
    changes = SiteChanges(SqlChangeRecords(database))
    snapshotter = Snapshotter(saved_sites, contents.snapshots)
    listeners: list[Callable[[EntityRef], None]] = [lambda _: changes.heard()]

    def changed(entity: EntityRef) -> None:
        snapshotter.heard()
        for listener in listeners:
            listener(entity)

    sites = CachingSiteRecords(
        SqlSiteRecords(database),
        max_age_seconds=_MOST_STALE_SECONDS if shares_stores(settings) else None,
        changed=changed,
    )
    return ServiceStores(
        database,
        contents.blobs,
        cached(contents.blobs),
        sites,
        builds,
        BuildEvents(builds),
        changes,
        listeners,
        snapshotter,
    )
