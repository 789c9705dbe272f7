"""Making a site current: nothing when it is, else one build however many ask."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from techdocs_server.domain.build import Build, BuildEvent, BuildState
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import (
    BuildCancelled,
    BuildFailed,
    BuildNotFound,
    BuildStepFailed,
    CatalogUnavailable,
    QuotaExceeded,
    RevisionConflict,
    StorageUnavailable,
    TechDocsError,
)
from techdocs_server.ports.records import SiteRecords
from techdocs_server.services.build_events import BuildEvents
from techdocs_server.services.building import Sources
from techdocs_server.services.coalescing import Coalescing
from techdocs_server.services.starting import BuildStarter

# A caller that joined a build looks once more at the source when it ended, since the build may have read it
# before the caller's change. The second build it may then start or join certainly reads it later.
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class SyncResult:
    """The site is current. ``build`` is the one that was waited for, empty when none was needed."""

    revision: str
    updated: bool
    build: str


@dataclass(frozen=True, slots=True)
class SyncEvent:
    """A build that was waited for went on."""

    build: str
    event: BuildEvent


class SiteSyncer:
    """Syncs sites."""

    def __init__(self, *, sources: Sources, sites: SiteRecords, starter: BuildStarter, events: BuildEvents) -> None:
        self._sources = sources
        self._sites = sites
        self._starter = starter
        self._events = events
        self._unchanged = Coalescing(self._look)

    async def sync(self, entity: EntityRef, *, force: bool) -> SyncResult:
        """Wait until the site is current. Leaving early stops no build.

        Raises `EntityNotFound`, `NoDocsSource`, `CatalogUnavailable`,
        `BuildQueueFull`, the error a build ended with (see `failure_of`), and
        `ServerDraining`.
        """
        waited_for: Build | None = None
        for _ in range(_ROUNDS):
            if (current := await self._if_current(entity, waited_for, force=force)) is not None:
                return current
            build, created = await self._starter.start_or_join(entity, force=force)
            waited_for = _succeeded(await self._events.ended(build.id))
            if created or (force and build.force):
                break
        return _result(waited_for)

    async def stream(
        self, entity: EntityRef, *, force: bool, resume: tuple[str, int] | None = None
    ) -> AsyncIterator[SyncEvent | SyncResult]:
        """Do what `sync` does and yield the events of the builds it waits for; the result comes last.

        ``resume`` is a build id and the last sequence the caller has of it. Raises
        as `sync`, and `BuildNotFound` when the build to resume is not one of the
        entity's.
        """
        if resume is not None:
            build = await self._starter.build(resume[0])
            if build.entity != entity:
                raise BuildNotFound(build.name)
            async for event in self._follow(build, after_sequence=resume[1]):
                yield event
            yield _result(_succeeded(await self._events.ended(build.id)))
            return
        waited_for: Build | None = None
        for _ in range(_ROUNDS):
            if (current := await self._if_current(entity, waited_for, force=force)) is not None:
                yield current
                return
            build, created = await self._starter.start_or_join(entity, force=force)
            async for event in self._follow(build, after_sequence=0):
                yield event
            waited_for = _succeeded(await self._events.ended(build.id))
            if created or (force and build.force):
                break
        yield _result(waited_for)

    async def _follow(self, build: Build, *, after_sequence: int) -> AsyncIterator[SyncEvent]:
        async for event in self._events.watch(build.id, after_sequence=after_sequence):
            yield SyncEvent(build.name, event)

    async def _if_current(self, entity: EntityRef, waited_for: Build | None, *, force: bool) -> SyncResult | None:
        """Return the result when no build is needed, or no further one."""
        if force:
            await self._sources.find(entity)
            return None
        revision = await self._unchanged.ask(entity)
        if revision is None:
            return None
        if waited_for is None:
            return SyncResult(revision, updated=False, build="")
        return SyncResult(revision, updated=waited_for.updated, build=waited_for.name)

    async def _look(self, entity: EntityRef) -> str | None:
        """Return the current revision if it is of the source as it is now."""
        source = await self._sources.find(entity)
        try:
            etag = await self._sources.etag(source)
        except (BuildStepFailed, QuotaExceeded):
            return None  # a build will meet the same problem and write it down where its author looks
        # Read last, so that what is called current was so after the question.
        pointer = await self._sites.pointer(entity)
        return pointer.revision if pointer is not None and etag == pointer.source_etag else None


def _result(build: Build | None) -> SyncResult:
    assert build is not None  # noqa: S101 - every path here has waited for a build
    return SyncResult(build.revision, updated=build.updated, build=build.name)


def _succeeded(build: Build) -> Build:
    if build.state is not BuildState.SUCCEEDED:
        raise failure_of(build)
    return build


def failure_of(build: Build) -> TechDocsError:
    """Return the error that tells a caller how a build ended without success.

    A broken dependency keeps its own error, so that it is never taken for a fault
    of the documentation; everything else is `BuildFailed`.
    """
    ref, problem = str(build.entity), build.problem
    if build.state is BuildState.CANCELLED or problem is None:
        return BuildCancelled(ref, build.name)
    error: TechDocsError
    match problem.reason:
        case StorageUnavailable.reason:
            error = StorageUnavailable(problem.message.removeprefix("storage is unavailable: "))
        case CatalogUnavailable.reason:
            error = CatalogUnavailable(problem.message.removeprefix("the catalog cannot be read: "))
        case QuotaExceeded.reason:
            error = QuotaExceeded(problem.message)
        case RevisionConflict.reason:
            error = RevisionConflict(ref)
        case _:
            error = BuildFailed(ref, build.name, problem.phase, problem.message)
    error.metadata |= {"build": build.name, "phase": str(problem.phase)}
    return error
