"""One build from end to end: prepare, generate, publish."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from techdocs_server.domain.build import BuildState, Severity
from techdocs_server.domain.catalog_entity import SourceRef
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import NoDocsSource, RevisionConflict
from techdocs_server.domain.source_etag import source_etag
from techdocs_server.ports.catalog import Catalog
from techdocs_server.ports.generator import SiteGenerator
from techdocs_server.ports.records import SiteRecords
from techdocs_server.ports.sources import SourcePreparer
from techdocs_server.ports.workspace import Workspaces
from techdocs_server.services.build_journal import BuildJournal
from techdocs_server.services.publishing import Published, Publisher, SiteToPublish


class Sources:
    """Finds the source of an entity and tells its etag."""

    def __init__(self, catalog: Catalog, preparer: SourcePreparer, generator: SiteGenerator) -> None:
        self._catalog = catalog
        self._preparer = preparer
        self._generator = generator

    async def find(self, entity: EntityRef) -> SourceRef:
        """Return the source of an entity. Raises `EntityNotFound`, `NoDocsSource`, `CatalogUnavailable`."""
        found = await self._catalog.entity(entity)
        if found.source is None:
            raise NoDocsSource(str(entity), found.source_problem)
        return found.source

    async def etag(self, source: SourceRef) -> str:
        """Return the etag of a source as it is now. Raises as `SourcePreparer.etag` does."""
        return self._of_tree(source, await self._preparer.etag(source))

    async def prepare(self, source: SourceRef, *, into: Path) -> tuple[str, tuple[str, ...]]:
        """Copy a source; return its etag and what was left out. Raises as `SourcePreparer.prepare` does."""
        prepared = await self._preparer.prepare(source, into=into)
        return self._of_tree(source, prepared.etag), prepared.warnings

    def _of_tree(self, source: SourceRef, tree: str) -> str:
        return source_etag(tree=tree, site_name=source.site_name, generator=self._generator.versions)


@dataclass(frozen=True, slots=True)
class BuildLimits:
    """Bounds of one build."""

    timeout_seconds: float


class SiteBuilder:
    """Runs builds. Holds no state of any of them."""

    def __init__(
        self,
        *,
        sources: Sources,
        sites: SiteRecords,
        generator: SiteGenerator,
        publisher: Publisher,
        workspaces: Workspaces,
        limits: BuildLimits,
    ) -> None:
        self._sources = sources
        self._sites = sites
        self._generator = generator
        self._publisher = publisher
        self._workspaces = workspaces
        self._limits = limits

    async def run(self, journal: BuildJournal) -> None:
        """Take a queued build to its good end.

        Raises any error of the tree, `BuildStepFailed`, or is cancelled; the
        journal's build is then in the phase it failed in, and the site is as it
        was before.
        """
        entity = journal.build.entity
        # The pointer is read before the source: whatever moves it from here on makes this publish lose.
        pointer = await self._sites.pointer(entity)
        await journal.move(BuildState.PREPARING)
        source = await self._sources.find(entity)
        async with self._workspaces.open() as workspace:
            tree, output = workspace / "source", workspace / "site"
            tree.mkdir()
            output.mkdir()
            journal.say(f"Copying the documentation source {source.display}")
            etag, warnings = await self._sources.prepare(source, into=tree)
            for warning in warnings:
                journal.say(warning, Severity.WARNING)
            if pointer is not None and etag == pointer.source_etag and not journal.build.force:
                if await self._sites.pointer(entity) != pointer:
                    raise RevisionConflict(str(entity))
                journal.say("The source did not change since the site was built")
                await journal.succeed(revision=pointer.revision, source_etag=etag, updated=False)
                return
            await journal.move(BuildState.GENERATING)
            generated = await self._generator.generate(
                tree,
                into=output,
                site_name=source.site_name,
                log=journal.log,
                timeout_seconds=self._limits.timeout_seconds,
            )
            await journal.move(BuildState.PUBLISHING)
            published = await self._publisher.publish(
                SiteToPublish(entity, output, generated, etag, journal.build.name, expected=pointer)
            )
            self._report(journal, published)
        await journal.succeed(revision=published.revision, source_etag=etag, updated=published.updated)

    @staticmethod
    def _report(journal: BuildJournal, published: Published) -> None:
        if published.updated:
            journal.say(f"Published revision {published.revision}")
        else:
            journal.say("The site is the same as before; its revision stays")
