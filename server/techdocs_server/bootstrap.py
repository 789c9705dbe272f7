"""Composition root: settings in, a running object graph out. The only module that names concrete adapters."""

from __future__ import annotations

import asyncio
import fcntl
import os
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from importlib.metadata import version
from pathlib import Path

from techdocs.v1 import capabilities_pb2

from techdocs_server.adapters.catalog.static_file import StaticFileCatalog
from techdocs_server.adapters.clock import SystemClock
from techdocs_server.adapters.compression.process import ProcessCompressor
from techdocs_server.adapters.queue.in_process import InProcessBuildQueue
from techdocs_server.adapters.records.announcing_sites import AnnouncingSiteRecords
from techdocs_server.adapters.records.caching_sites import CachingSiteRecords
from techdocs_server.adapters.records.sql_builds import SqlBuildRecords
from techdocs_server.adapters.records.sql_sites import SqlSiteRecords
from techdocs_server.adapters.removal import FolderRemoval
from techdocs_server.adapters.reuse.local import LocalReuseStates
from techdocs_server.adapters.variants.filesystem import FilesystemVariantStore
from techdocs_server.adapters.workspaces.local import LocalWorkspaces
from techdocs_server.build_tools import (
    make_generator,
    make_preparer,
    make_site_files,
    make_source_hosts,
)
from techdocs_server.classic_tools import make_mirror
from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.ports.blobs import BlobStore
from techdocs_server.ports.classic import ClassicBucket
from techdocs_server.ports.records import BuildRecords, SiteRecords
from techdocs_server.rpc.builds_servicer import BuildsServicer
from techdocs_server.rpc.capabilities_servicer import CapabilitiesServicer
from techdocs_server.rpc.docs_servicer import DocsServicer
from techdocs_server.rpc.server import MAX_CHUNK_BYTES, MAX_UNARY_BYTES, TLS, Servicers, TechDocsServer
from techdocs_server.rpc.sites_servicer import SitesServicer
from techdocs_server.services.backing_off import BackOff
from techdocs_server.services.build_events import BuildEvents
from techdocs_server.services.building import BuildLimits, SiteBuilder
from techdocs_server.services.classic_sites import ClassicSites
from techdocs_server.services.compressing import Variants
from techdocs_server.services.describing import SiteDescriber
from techdocs_server.services.dispatching import Dispatcher
from techdocs_server.services.listing import Listings
from techdocs_server.services.mirroring import Mirror
from techdocs_server.services.publishing import Publisher
from techdocs_server.services.reading import SiteReader
from techdocs_server.services.refreshing import Refresher
from techdocs_server.services.site_life import SiteLife
from techdocs_server.services.sources import Sources
from techdocs_server.services.starting import BuildStarter
from techdocs_server.services.syncing import SiteSyncer
from techdocs_server.settings import Settings
from techdocs_server.start_failed import StartFailed
from techdocs_server.stores import cached, open_blobs, open_classic, open_database

DISTRIBUTION = "techdocs-service"


class EmbeddedService:
    """Server and builder of the embedded default, on one data directory that only this process uses."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._resources = AsyncExitStack()
        self._queue = InProcessBuildQueue(concurrency=settings.build_concurrency, limit=settings.build_queue_limit)
        self._events: BuildEvents | None = None
        self._server: TechDocsServer | None = None
        self._refresher: Refresher | None = None
        self._variants: Variants | None = None
        self._classic: ClassicBucket | None = None
        self._mirror: Mirror | None = None
        self._tls: TLS | None = None

    async def start(self) -> int:
        """Open the stores, take up what the last process left, listen; return the gRPC port.

        Raises `StartFailed`. After a failure nothing is left open.
        """
        try:
            return await self._start()
        except StorageUnavailable as error:
            await self._resources.aclose()
            raise StartFailed(f"data_directory: {error.message}") from error
        except BaseException:
            await self._resources.aclose()
            raise

    async def stop(self) -> None:
        """Drain the server, end running builds as interrupted, close the stores. Finishes after a failed start too."""
        if self._server is not None and self._events is not None:
            await self._server.stop(grace_seconds=self._settings.server_drain_seconds, end_streams=self._events.close)
        await self._queue.stop()
        await self._resources.aclose()

    async def _start(self) -> int:
        settings, clock = self._settings, SystemClock()
        self._tls = _tls(settings)
        folder = own_data_directory(settings.data_directory, self._resources)
        blobs, sites, builds = await self._open_stores(folder)
        hosts = make_source_hosts(settings)
        removal = FolderRemoval(folder / "removed")
        self._own(removal.close)
        workspaces = LocalWorkspaces(folder / "workspaces", removal=removal)
        catalog = StaticFileCatalog(settings.catalog.absolute(), excluded=frozenset({folder}), source_hosts=hosts)
        self._own(catalog.close)
        preparer = make_preparer(
            settings, hosts, excluded=frozenset({folder}), scratch=folder / "workspaces", own=self._own
        )
        files = make_site_files(settings)
        self._own(files.close)
        generator = await make_generator(settings, folder / "workspaces")
        self._own_async(generator.close)
        generator.preload()

        events = self._events = BuildEvents(builds)
        classic = None if self._classic is None else ClassicSites(self._classic)
        reader = SiteReader(sites, blobs, self._variants, classic)
        sources = Sources(catalog, preparer, generator)
        reuse = LocalReuseStates(folder / "reuse", max_bytes=settings.reuse_max_bytes, removal=removal)
        builder = SiteBuilder(
            sources=sources,
            sites=sites,
            generator=generator,
            publisher=Publisher(sites, blobs, files, reader, clock, self._variants),
            workspaces=workspaces,
            reuse=reuse,
            limits=BuildLimits(timeout_seconds=settings.build_timeout_seconds),
            variants=self._variants,
        )
        dispatcher = Dispatcher(builder=builder, records=builds, events=events, clock=clock)
        starter = BuildStarter(sources=sources, records=builds, queue=self._queue, dispatcher=dispatcher, clock=clock)
        syncer = SiteSyncer(
            sources=sources, sites=sites, starter=starter, events=events, back_off=BackOff(builds, clock)
        )
        self._refresher = self._make_refresher(sources, syncer)
        listings = Listings(sites, builds, reader)
        servicers = Servicers(
            docs=DocsServicer(
                reader=reader,
                describer=SiteDescriber(reader, catalog),
                listings=listings,
                max_unary_bytes=MAX_UNARY_BYTES,
            ),
            builds=BuildsServicer(
                syncer=syncer,
                starter=starter,
                events=events,
                listings=listings,
            ),
            sites=SitesServicer(
                life=SiteLife(
                    sites=sites,
                    builds=builds,
                    dispatcher=dispatcher,
                    queue=self._queue,
                    events=events,
                    reuse=reuse,
                    clock=clock,
                ),
                listings=listings,
            ),
            capabilities=CapabilitiesServicer(
                _capabilities(settings, generator.versions, generator.isolation_level.text)
            ),
        )
        return await self._serve(servicers, dispatcher)

    async def _open_stores(self, folder: Path) -> tuple[BlobStore, SiteRecords, BuildRecords]:
        stored = await open_blobs(self._settings, folder, self._own_async)
        database = await open_database(self._settings, folder, self._own_async)
        if self._settings.compress_variants:
            # Past the cache: what is compressed once must not push out what is read often.
            self._variants = self._make_variants(folder, stored)
        sites: SiteRecords = CachingSiteRecords(SqlSiteRecords(database))
        self._classic = await open_classic(self._settings, self._own_async)
        self._mirror = make_mirror(self._settings, self._classic, sites, stored, folder, self._own_async)
        if self._mirror is not None:
            sites = AnnouncingSiteRecords(sites, self._mirror.moved)
        return cached(stored), sites, SqlBuildRecords(database)

    async def _serve(self, servicers: Servicers, dispatcher: Dispatcher) -> int:
        settings = self._settings
        server = TechDocsServer(
            servicers,
            listen=str(settings.server_listen),
            max_concurrent_calls=settings.server_max_concurrent_calls,
            reflection=settings.server_reflection_enabled,
            tls=self._tls,
        )
        try:
            port = await server.start()
        except OSError as error:
            raise StartFailed(str(error)) from error
        self._server = server
        await dispatcher.recover(self._queue)
        self._queue.start(dispatcher.run)
        if self._refresher is not None:
            self._start_task(self._refresher.run())
        if self._variants is not None:
            self._start_task(self._variants.run())
        if self._mirror is not None:
            self._start_task(self._mirror.run())
        return port

    def _make_refresher(self, sources: Sources, syncer: SiteSyncer) -> Refresher | None:
        interval = self._settings.refresh_interval_seconds
        return Refresher(sources=sources, syncer=syncer, interval_seconds=interval) if interval else None

    def _make_variants(self, folder: Path, blobs: BlobStore) -> Variants:
        store = FilesystemVariantStore(folder / "variants")
        self._own_async(store.close)
        compressor = ProcessCompressor()
        self._own_async(compressor.close)
        return Variants(blobs, store, compressor)

    def _start_task(self, work: Coroutine[None, None, None]) -> None:
        """Run work beside everything else until the resources close."""
        task = asyncio.create_task(work)

        async def end() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self._own_async(end)

    def _own(self, close: Callable[[], object]) -> None:
        self._resources.callback(close)

    def _own_async(self, close: Callable[[], Awaitable[object]]) -> None:
        self._resources.push_async_callback(close)


def service_version() -> str:
    """Return the version of the installed software."""
    return version(DISTRIBUTION)


def own_data_directory(folder: Path, resources: AsyncExitStack) -> Path:
    """Make the data directory and lock it for this process, until the resources close."""
    folder = folder.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StartFailed(f"data_directory: {folder} cannot be used: {error.strerror}") from error
    resources.callback(os.close, lock)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise StartFailed(
            f"data_directory: another techdocs process uses {folder}; stop it, or set another data_directory"
        ) from error
    return folder


def _tls(settings: Settings) -> TLS | None:
    if settings.server_tls_certificate is None or settings.server_tls_key is None:
        return None
    certificate, key = settings.server_tls_certificate, settings.server_tls_key
    try:
        tls = TLS(certificate.read_bytes(), key.read_bytes())
        # Checked here, because gRPC says of a bad file only that it cannot listen.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        raise StartFailed(
            f"server_tls_certificate, server_tls_key: {certificate} and {key} are not a PEM certificate chain and the "
            "unencrypted private key that belongs to it"
        ) from error
    except OSError as error:
        raise StartFailed(f"server_tls_certificate, server_tls_key: {error.filename}: {error.strerror}") from error
    return tls


def _no_password() -> str:
    raise ValueError("the key is encrypted")


def _capabilities(settings: Settings, generators: tuple[str, ...], isolation: str) -> capabilities_pb2.Capabilities:
    return capabilities_pb2.Capabilities(
        server_version=service_version(),
        build_enabled=True,
        max_unary_bytes=MAX_UNARY_BYTES,
        max_chunk_bytes=MAX_CHUNK_BYTES,
        max_site_bytes=settings.site_max_bytes,
        max_site_files=settings.site_max_files,
        generators=generators,
        isolation=isolation,
    )
