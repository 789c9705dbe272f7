"""Composition root: settings in, a running object graph out. The only module that names concrete adapters."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from techdocs_server.access_graph import make_access, make_auth_servicer, make_authenticator, make_own_keys
from techdocs_server.adapters.clock import SystemClock
from techdocs_server.adapters.compression.process import ProcessCompressor
from techdocs_server.adapters.queue.in_process import InProcessBuildQueue
from techdocs_server.adapters.queue.procrastinate import ProcrastinateBuildQueue
from techdocs_server.adapters.records.engine import SqlDatabase
from techdocs_server.adapters.records.postgresql_feed import PostgreSQLFeed
from techdocs_server.adapters.records.sql_changes import SqlChangeRecords
from techdocs_server.adapters.records.sql_leases import SqlBlobLeases
from techdocs_server.adapters.records.sql_site_checks import SqlSiteChecks
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
from techdocs_server.capabilities import capabilities
from techdocs_server.catalog_graph import make_catalog
from techdocs_server.classic_tools import make_mirror
from techdocs_server.collector import make_collector
from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.ports.blobs import BlobStore
from techdocs_server.ports.variants import VariantStore
from techdocs_server.process import own_data_directory, process_name, read_tls
from techdocs_server.publish_graph import make_publish_servicer
from techdocs_server.queues import open_shared_queue, own_queue
from techdocs_server.rpc.admin_servicer import AdminServicer
from techdocs_server.rpc.builds_servicer import BuildsServicer
from techdocs_server.rpc.capabilities_servicer import CapabilitiesServicer
from techdocs_server.rpc.docs_servicer import DocsServicer
from techdocs_server.rpc.server import MAX_UNARY_BYTES, TLS, AccessControl, Servicers, TechDocsServer
from techdocs_server.rpc.sites_servicer import SitesServicer
from techdocs_server.services.backing_off import BackOff
from techdocs_server.services.build_events import BuildEvents
from techdocs_server.services.building import BuildLimits, SiteBuilder
from techdocs_server.services.checking import Checking
from techdocs_server.services.classic_sites import ClassicSites
from techdocs_server.services.collecting import Collector
from techdocs_server.services.compressing import Variants
from techdocs_server.services.describing import SiteDescriber
from techdocs_server.services.dispatching import Dispatcher
from techdocs_server.services.listing import Listings
from techdocs_server.services.mirroring import Mirror
from techdocs_server.services.publishing import Publisher
from techdocs_server.services.reading import SiteReader
from techdocs_server.services.reaping import Reaper
from techdocs_server.services.refreshing import Refresher
from techdocs_server.services.site_changes import SiteChanges
from techdocs_server.services.site_life import SiteLife
from techdocs_server.services.sources import Sources
from techdocs_server.services.starting import BuildStarter
from techdocs_server.services.syncing import SiteSyncer
from techdocs_server.settings import Settings
from techdocs_server.start_failed import StartFailed
from techdocs_server.stores import ServiceStores, conninfo, open_classic, open_stores, shares_stores


@dataclass(frozen=True, slots=True)
class Parts:
    """What a process does: answer calls, run builds, or both."""

    serves: bool
    builds: bool


class TechDocsService:
    """Server, builder, or both, over the stores that the settings name.

    Over stores of its own the process does everything. Over shared ones it works with any
    number of others: builds wait in the database, and what others do is heard of.
    """

    def __init__(self, settings: Settings, parts: Parts) -> None:
        self._settings = settings
        self._is_shared = shares_stores(settings)
        # Nobody else could run the builds of stores that nobody else has.
        self._parts = parts if self._is_shared else replace(parts, builds=True)
        self._resources = AsyncExitStack()
        self._queue: InProcessBuildQueue | ProcrastinateBuildQueue | None = None
        self._events: BuildEvents | None = None
        self._changes: SiteChanges | None = None
        self._server: TechDocsServer | None = None
        self._refresher: Refresher | None = None
        self._variants: Variants | None = None
        self._variant_store: VariantStore | None = None
        self._collector: Collector | None = None
        self._mirror: Mirror | None = None
        self._tls: TLS | None = None

    async def start(self) -> int:
        """Open the stores, take up what the last process left, listen; return the gRPC port, 0 for a mere worker.

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
        """Drain the server, stop running builds, close the stores. Finishes after a failed start too."""
        if self._server is not None:
            await self._server.stop(grace_seconds=self._settings.server_drain_seconds, end_streams=self._end_streams)
        if self._queue is not None:
            await self._queue.stop()
        await self._resources.aclose()

    def _end_streams(self) -> None:
        if self._events is not None and self._changes is not None:
            self._events.close()
            self._changes.close()

    async def _start(self) -> int:
        settings, clock = self._settings, SystemClock()
        if not self._parts.serves and not self._is_shared:
            raise StartFailed(
                "database_url, s3_bucket: both must be set: a worker takes its builds from the database and leaves "
                "the sites in the bucket"
            )
        self._tls = read_tls(settings)
        folder = own_data_directory(settings.data_directory, self._resources)
        stores = await open_stores(settings, folder, self._own_async)
        self._events, self._changes = stores.events, stores.changes
        if settings.compress_variants and self._parts.serves:
            # Where they are read, on a disk of its own: a server that builds nothing makes what its readers ask for, and
            # a worker that serves nobody makes none. Past the cache: what is compressed once must not push out what is
            # read often.
            self._variants = self._make_variants(folder, stores.uncached_blobs)
        queue = self._queue = await self._open_queue(stores.database)
        hosts = make_source_hosts(settings)
        removal = FolderRemoval(folder / "removed")
        self._own(removal.close)
        workspaces = LocalWorkspaces(folder / "workspaces", removal=removal)
        own_keys = make_own_keys(stores.database, clock)
        catalog = make_catalog(settings, folder, hosts, own_keys.tokens, self._own_async)
        preparer = make_preparer(
            settings, hosts, excluded=frozenset({folder}), scratch=folder / "workspaces", own=self._own
        )
        files = make_site_files(settings)
        self._own(files.close)
        generator = await make_generator(settings, folder / "workspaces")
        self._own_async(generator.close)
        builds_sites = settings.builder == "local"
        if self._parts.builds and builds_sites:
            generator.preload()

        events, sites, builds = stores.events, stores.sites, stores.builds
        classic = await open_classic(settings, self._own_async)
        if self._parts.builds:
            self._mirror = make_mirror(settings, classic, sites, stores.uncached_blobs, folder, self._own_async)
        if self._mirror is not None:
            stores.listeners.append(self._mirror.moved)
        reader = SiteReader(sites, stores.blobs, self._variants, None if classic is None else ClassicSites(classic))
        sources = Sources(catalog, preparer, generator)
        reuse = LocalReuseStates(folder / "reuse", max_bytes=settings.reuse_max_bytes, removal=removal)
        builder = SiteBuilder(
            sources=sources,
            sites=sites,
            generator=generator,
            publisher=Publisher(
                sites, stores.blobs, files, reader, SqlBlobLeases(stores.database), clock, self._variants
            ),
            workspaces=workspaces,
            reuse=reuse,
            limits=BuildLimits(timeout_seconds=settings.build_timeout_seconds),
            variants=self._variants,
        )
        dispatcher = Dispatcher(
            builder=builder,
            records=builds,
            events=events,
            clock=clock,
            worker=process_name(),
            hands_over=self._is_shared,
        )
        starter = BuildStarter(
            sources=sources, records=builds, queue=queue, dispatcher=dispatcher, clock=clock, builds=builds_sites
        )
        syncer = SiteSyncer(
            sources=sources,
            sites=sites,
            starter=starter,
            events=events,
            back_off=BackOff(builds, clock),
            checking=Checking(SqlSiteChecks(stores.database), sites, clock),
            builds=builds_sites,
        )
        self._refresher = self._make_refresher(sources, syncer)
        listings = Listings(sites, builds, SqlChangeRecords(stores.database), reader)
        self._collector = make_collector(settings, stores.database, sites, stores.blobs, self._variant_store, clock)
        authenticator = make_authenticator(settings, clock, self._own_async)
        servicers = Servicers(
            docs=DocsServicer(
                reader=reader,
                describer=SiteDescriber(reader, catalog, checks_entities=settings.catalog_type == "backstage"),
                listings=listings,
                max_unary_bytes=MAX_UNARY_BYTES,
            ),
            builds=BuildsServicer(
                syncer=syncer,
                starter=starter,
                events=events,
                listings=listings,
            ),
            publish=make_publish_servicer(
                settings,
                database=stores.database,
                sites=sites,
                blobs=stores.blobs,
                reader=reader,
                clock=clock,
                variants=self._variants,
            ),
            sites=SitesServicer(
                life=SiteLife(
                    sites=sites,
                    builds=builds,
                    dispatcher=dispatcher,
                    queue=queue,
                    events=events,
                    reuse=reuse,
                    clock=clock,
                ),
                listings=listings,
                changes=stores.changes,
            ),
            admin=AdminServicer(collector=self._collector),
            capabilities=CapabilitiesServicer(
                capabilities(settings, generator.versions, generator.isolation_level.text)
            ),
            auth=make_auth_servicer(authenticator, own_keys.keys, clock),
        )
        access = make_access(settings, authenticator, catalog, builds)
        port = await self._listen(servicers, access) if self._parts.serves else 0
        await self._begin(dispatcher, queue, stores)
        return port

    async def _open_queue(self, database: SqlDatabase) -> InProcessBuildQueue | ProcrastinateBuildQueue:
        if self._is_shared:
            return await open_shared_queue(self._settings, database, self._own_async)
        return own_queue(self._settings)

    async def _listen(self, servicers: Servicers, access: AccessControl) -> int:
        settings = self._settings
        server = TechDocsServer(
            servicers,
            listen=str(settings.server_listen),
            max_concurrent_calls=settings.server_max_concurrent_calls,
            reflection=settings.server_reflection_enabled,
            access=access,
            tls=self._tls,
        )
        try:
            port = await server.start()
        except OSError as error:
            raise StartFailed(str(error)) from error
        self._server = server
        return port

    async def _begin(
        self, dispatcher: Dispatcher, queue: InProcessBuildQueue | ProcrastinateBuildQueue, stores: ServiceStores
    ) -> None:
        """Begin everything that goes on beside the calls."""
        if isinstance(queue, ProcrastinateBuildQueue):
            self._start_task(PostgreSQLFeed(conninfo(self._settings), stores.heard).run())
            reaper = Reaper(records=stores.builds, queue=queue, events=stores.events, clock=SystemClock())
            self._start_task(reaper.run())
        else:
            await dispatcher.recover(queue)
        if self._parts.builds:
            queue.start(dispatcher.run)
        self._start_task(stores.snapshotter.run())
        if self._refresher is not None and self._parts.serves:
            self._start_task(self._refresher.run())
        if self._variants is not None:
            self._start_task(self._variants.run())
        if self._collector is not None and self._settings.gc_interval_seconds and self._parts.serves:
            self._start_task(self._collector.run(interval_seconds=self._settings.gc_interval_seconds))
        if self._mirror is not None:
            self._start_task(self._mirror.run())

    def _make_refresher(self, sources: Sources, syncer: SiteSyncer) -> Refresher | None:
        interval = self._settings.refresh_interval_seconds
        return Refresher(sources=sources, syncer=syncer, interval_seconds=interval) if interval else None

    def _make_variants(self, folder: Path, blobs: BlobStore) -> Variants:
        store = self._variant_store = FilesystemVariantStore(folder / "variants")
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
