"""One build from end to end: prepare, generate, publish."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from techdocs_server.domain.build import Build, BuildState, BuildWarning, Severity
from techdocs_server.domain.errors import RevisionConflict
from techdocs_server.domain.principal import INTERNAL
from techdocs_server.domain.site import SitePointer
from techdocs_server.ports.generator import GeneratedSite, GenerateRequest, SiteGenerator
from techdocs_server.ports.records import SiteRecords
from techdocs_server.ports.reuse import ReuseStates
from techdocs_server.ports.workspace import Workspaces
from techdocs_server.services.build_journal import BuildJournal
from techdocs_server.services.committing import Published
from techdocs_server.services.compressing import Variants
from techdocs_server.services.patience import IN_BUILDS
from techdocs_server.services.publishing import Publisher, SiteToPublish
from techdocs_server.services.sources import Sources

# As Backstage's own builder begins its steps, for those who look for them in a log (techdocs-backend, DocsBuilder).
_STEP_1 = "Step 1 of 3: Preparing docs for entity {}"
_STEP_2 = "Step 2 of 3: Generating docs for entity {}"
_STEP_3 = "Step 3 of 3: Publishing docs for entity {}"


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
        reuse: ReuseStates,
        limits: BuildLimits,
        variants: Variants | None = None,
    ) -> None:
        self._sources = sources
        self._sites = sites
        self._generator = generator
        self._publisher = publisher
        self._workspaces = workspaces
        self._reuse = reuse
        self._limits = limits
        self._variants = variants

    async def run(self, journal: BuildJournal) -> None:
        """Take a queued build to its good end.

        Raises any error of the tree, `BuildStepFailed`, or is cancelled; the
        journal's build is then in the phase it failed in, and the site is as it
        was before.
        """
        with self._variants.held_back() if self._variants is not None else nullcontext():
            await self._run(journal)

    async def _run(self, journal: BuildJournal) -> None:
        entity = journal.build.entity
        # The pointer is read before the source: whatever moves it from here on makes this publish lose.
        pointer = await IN_BUILDS.until_answered(lambda: self._sites.pointer(entity))
        await journal.move(BuildState.PREPARING)
        journal.say(_STEP_1.format(entity))
        source = (await self._sources.find(entity, viewer=INTERNAL)).source
        async with self._workspaces.open() as workspace:
            tree, output = workspace / "source", workspace / "site"
            tree.mkdir()
            output.mkdir()
            journal.say(f"Fetching the documentation source {source.type}:{source.display}")
            etag, prepared = await self._sources.prepare(source, into=tree)
            journal.learn(source_etag=etag, warnings=tuple(BuildWarning(warning) for warning in prepared.warnings))
            for warning in prepared.warnings:
                journal.say(warning, Severity.WARNING)
            if pointer is not None and etag == pointer.source_etag and not journal.build.force:
                if await self._sites.pointer(entity) != pointer:
                    raise RevisionConflict(str(entity))
                journal.say("The source did not change since the site was built")
                await journal.succeed(revision=pointer.revision, updated=False)
                return
            await journal.move(BuildState.GENERATING)
            journal.say(_STEP_2.format(entity))
            left = self._folder_for_the_next_build(workspace)
            generated = await self._generator.generate(
                GenerateRequest(
                    tree=tree,
                    into=output,
                    site_name=source.site_name,
                    timeout_seconds=self._limits.timeout_seconds,
                    edit_links=prepared.edit_links,
                    reuse_from=await self._earlier(journal.build, pointer),
                    reuse_into=left,
                ),
                log=journal.log,
                progress=journal.progress,
            )
            journal.learn(
                isolation=generated.isolation,
                warnings=journal.build.warnings + generated.warnings,
                pages=generated.pages,
                full_build_reason=self._full_build_reason(journal.build, generated),
            )
            await journal.move(BuildState.PUBLISHING)
            journal.say(_STEP_3.format(entity))
            published = await self._publisher.publish(
                SiteToPublish(
                    entity,
                    output,
                    generated,
                    etag,
                    journal.build.name,
                    expected=pointer,
                    stores_everything=journal.build.force,
                    fence=journal.build.fence,
                )
            )
            if left is not None:
                await self._reuse.keep(entity, left, revision=published.revision)
            self._report(journal, published)
        await journal.succeed(revision=published.revision, updated=published.updated)

    def _folder_for_the_next_build(self, workspace: Path) -> Path | None:
        if not self._reuse.keeps_any:
            return None
        folder = workspace / "reuse"
        folder.mkdir()
        return folder

    async def _earlier(self, build: Build, pointer: SitePointer | None) -> Path | None:
        # Who forces a build wants it made anew, whatever was wrong with the last one.
        if pointer is None or build.force:
            return None
        return await self._reuse.find(build.entity, revision=pointer.revision)

    @staticmethod
    def _full_build_reason(build: Build, generated: GeneratedSite) -> str:
        return "the build was forced" if build.force else generated.full_build_reason

    @staticmethod
    def _report(journal: BuildJournal, published: Published) -> None:
        if published.updated:
            journal.say(f"Published revision {published.revision}")
        else:
            journal.say("The site is the same as before; its revision stays")
