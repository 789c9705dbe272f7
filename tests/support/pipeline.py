"""The services over memory stores and a generator that needs no MkDocs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from techdocs_server.adapters.blobs.memory import MemoryBlobStore
from techdocs_server.adapters.clock import SystemClock
from techdocs_server.adapters.queue.in_process import InProcessBuildQueue
from techdocs_server.adapters.records.memory import MemoryBuildRecords, MemorySiteRecords
from techdocs_server.adapters.records.memory_site_checks import MemorySiteChecks
from techdocs_server.adapters.removal import FolderRemoval
from techdocs_server.adapters.reuse.local import LocalReuseStates
from techdocs_server.adapters.site_files.local import LocalSiteFiles
from techdocs_server.adapters.sources.local_directory import LocalDirectoryPreparer
from techdocs_server.adapters.workspaces.local import LocalWorkspaces
from techdocs_server.domain.build import LogLine, Severity
from techdocs_server.domain.catalog_entity import CatalogEntity, SourceRef
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import BuildStepFailed, EntityNotFound, StorageUnavailable
from techdocs_server.domain.principal import Principal
from techdocs_server.ports.blobs import OpenFile
from techdocs_server.ports.clock import Clock
from techdocs_server.ports.generator import GeneratedSite, GenerateRequest, LogSink, ProgressSink
from techdocs_server.services.backing_off import BackOff
from techdocs_server.services.build_events import BuildEvents
from techdocs_server.services.building import BuildLimits, SiteBuilder
from techdocs_server.services.checking import Checking
from techdocs_server.services.classic_sites import ClassicSites
from techdocs_server.services.collecting import Collector
from techdocs_server.services.compressing import Variants
from techdocs_server.services.dispatching import Dispatcher
from techdocs_server.services.listing import Listings
from techdocs_server.services.publishing import Publisher
from techdocs_server.services.reading import SiteReader
from techdocs_server.services.retention import Retention
from techdocs_server.services.site_changes import SiteChanges
from techdocs_server.services.site_life import SiteLife
from techdocs_server.services.sources import Sources
from techdocs_server.services.starting import BuildStarter
from techdocs_server.services.syncing import SiteSyncer

from tests.support.blob_content import streamed

ENTITY = EntityRef("default", "component", "demo")


class CopyingGenerator:
    """Makes each ``x.md`` an ``x.html``. A file named FAIL makes it fail, as the author's fault."""

    versions = ("copying 1",)

    def __init__(self) -> None:
        self.runs = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.started = asyncio.Event()

    async def generate(
        self, request: GenerateRequest, *, log: LogSink, progress: ProgressSink | None = None
    ) -> GeneratedSite:
        tree, into = request.tree, request.into
        self.runs += 1
        self.started.set()
        log(LogLine(Severity.INFO, "Building documentation"))
        await self.gate.wait()
        if (tree / "FAIL").exists():
            raise BuildStepFailed((tree / "FAIL").read_text())
        for page in tree.rglob("*.md"):
            target = into / page.relative_to(tree).with_suffix(".html")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(page.read_bytes())
        return GeneratedSite(site_name=request.site_name, site_description="")


class FolderCatalog:
    """One entity whose source is a folder, and whose id and source tests take away."""

    def __init__(self, folder: Path) -> None:
        self.source: SourceRef | None = SourceRef("dir", str(folder), "docs", "Demo")
        self.uid = "1"

    async def entity(self, ref: EntityRef, *, viewer: Principal) -> CatalogEntity:
        if ref != ENTITY:
            raise EntityNotFound(str(ref))
        return CatalogEntity(
            ref, {"metadata": {"uid": self.uid}}, "Demo", "", "group:default/writers", "dir:.", self.source
        )

    async def refs(self) -> Sequence[EntityRef]:
        return [ENTITY]


class FailingBlobStore(MemoryBlobStore):
    """Counts its calls; the one whose turn it is fails as a broken store does."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.fail_at: int | None = None

    async def put(self, digest: Digest, content: AsyncIterable[bytes]) -> None:
        self.turn()
        await super().put(digest, content)

    async def put_files(self, files: Mapping[Digest, OpenFile]) -> None:
        # Each has its turn, stored already or not.
        for digest, open_file in files.items():
            self.turn()
            with open_file() as file:
                content = file.read()
            await super().put(digest, streamed(content))

    async def missing(self, digests: Collection[Digest]) -> frozenset[Digest]:
        self.turn()
        return await super().missing(digests)

    def turn(self) -> None:
        self.calls += 1
        if self.calls == self.fail_at:
            raise StorageUnavailable("it is told to fail now")


@dataclass
class Pipeline:
    """The object graph, and what tests turn."""

    source: Path
    blobs: FailingBlobStore
    sites: MemorySiteRecords
    builds: MemoryBuildRecords
    changes: SiteChanges
    generator: CopyingGenerator
    queue: InProcessBuildQueue
    events: BuildEvents
    dispatcher: Dispatcher
    reader: SiteReader
    catalog: FolderCatalog
    sources: Sources
    starter: BuildStarter
    syncer: SiteSyncer
    life: SiteLife
    listings: Listings
    collector: Collector
    workspaces: Path
    closers: list[Callable[[], None]] = field(default_factory=list)

    def write(self, **pages: str) -> None:
        """Make the source consist of these pages; ``index="x"`` is index.md."""
        for old in self.source.iterdir():
            old.unlink()
        for name, text in pages.items():
            (self.source / (name if name.isupper() else f"{name}.md")).write_text(text)

    async def page(self, path: str = "index.html", revision: str = "") -> str:
        """Read a page as a reader does."""
        view = await self.reader.open(ENTITY, revision)
        return (await self.reader.read_all(view, view.locate(path))).decode()


@asynccontextmanager
async def pipeline(
    folder: Path,
    *,
    concurrency: int = 2,
    limit: int = 10,
    generator: CopyingGenerator | None = None,
    reuse_max_bytes: int = 10**6,
    blobs: FailingBlobStore | None = None,
    variants: Variants | None = None,
    classic: ClassicSites | None = None,
    clock: Clock | None = None,
    builds_sites: bool = True,
) -> AsyncIterator[Pipeline]:
    """Build the graph and run its queue until the context ends."""
    source = folder / "docs"
    source.mkdir()
    blobs, builds = blobs or FailingBlobStore(), MemoryBuildRecords()
    sites = MemorySiteRecords(builds)
    clock, generator = clock or SystemClock(), generator or CopyingGenerator()
    preparer = LocalDirectoryPreparer(max_bytes=10**6, max_files=100)
    files = LocalSiteFiles(max_bytes=10**6, max_files=100)
    queue, events, reader = (
        InProcessBuildQueue(concurrency=concurrency, limit=limit),
        BuildEvents(builds),
        SiteReader(sites, blobs, variants, classic),
    )
    catalog = FolderCatalog(source)
    sources = Sources(catalog, preparer, generator)
    removal = FolderRemoval(folder / "removed")
    reuse = LocalReuseStates(folder / "reuse", max_bytes=reuse_max_bytes, removal=removal)
    builder = SiteBuilder(
        sources=sources,
        sites=sites,
        generator=generator,
        publisher=Publisher(sites, blobs, files, reader, sites.sweeping.leases, clock, variants),
        workspaces=LocalWorkspaces(folder / "workspaces", removal=removal),
        reuse=reuse,
        limits=BuildLimits(timeout_seconds=60),
        variants=variants,
    )
    dispatcher = Dispatcher(builder=builder, records=builds, events=events, clock=clock)
    starter = BuildStarter(
        sources=sources, records=builds, queue=queue, dispatcher=dispatcher, clock=clock, builds=builds_sites
    )
    queue.start(dispatcher.run)
    try:
        yield Pipeline(
            source=source,
            blobs=blobs,
            sites=sites,
            builds=builds,
            generator=generator,
            queue=queue,
            events=events,
            dispatcher=dispatcher,
            reader=reader,
            catalog=catalog,
            sources=sources,
            starter=starter,
            syncer=SiteSyncer(
                sources=sources,
                sites=sites,
                starter=starter,
                events=events,
                back_off=BackOff(builds, clock),
                checking=Checking(MemorySiteChecks(sites), sites, clock),
                builds=builds_sites,
            ),
            life=SiteLife(
                sites=sites,
                builds=builds,
                dispatcher=dispatcher,
                queue=queue,
                events=events,
                reuse=reuse,
                clock=clock,
            ),
            listings=Listings(sites, builds, sites.changes, reader),
            # Nobody tells it of a change here: it looks as often as a test can bear.
            changes=SiteChanges(sites.changes, heartbeat_seconds=0.1),
            collector=Collector(
                sites=sites,
                revisions=sites.sweeping,
                dooming=sites.sweeping.leases,
                manifests=blobs,
                blobs=blobs,
                variants=None,
                clock=clock,
                retention=Retention(2, timedelta(0)),
                grace=timedelta(0),
            ),
            workspaces=folder / "workspaces",
        )
    finally:
        await queue.stop()
        preparer.close()
        files.close()
        removal.close()
