"""Making a site current: nothing when it is, else one build however many ask."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

from techdocs_server.domain.build import Build, BuildEvent, BuildState, BuildTrigger
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
from techdocs_server.domain.principal import INTERNAL, Principal
from techdocs_server.domain.site import SitePointer
from techdocs_server.ports.records import SiteRecords
from techdocs_server.services.backing_off import BackOff
from techdocs_server.services.build_events import BuildEvents
from techdocs_server.services.checking import Checking
from techdocs_server.services.coalescing import Coalescing
from techdocs_server.services.sources import Sources, source_of
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


@dataclass(frozen=True, slots=True)
class _Look:
    """The source as it is now: its owner, its etag (empty when it cannot be told), and the site's pointer."""

    owner: str
    etag: str
    pointer: SitePointer | None

    @property
    def is_current(self) -> bool:
        return self.pointer is not None and self.etag != "" and self.pointer.source_etag == self.etag


@dataclass(frozen=True, slots=True)
class SyncWish:
    """How a caller wants a site synced.

    ``viewer`` is for whom: an entity that the catalog hides from them is not found.
    ``force`` builds although the source did not change. ``max_check_age`` is how old a
    check may be that answers instead of a look at the source; nothing by default.
    """

    viewer: Principal
    force: bool = False
    max_check_age: timedelta = timedelta(0)


class SiteSyncer:
    """Syncs sites. Where nothing is built (``builds`` is false), every site is as current as it gets."""

    def __init__(
        self,
        *,
        sources: Sources,
        sites: SiteRecords,
        starter: BuildStarter,
        events: BuildEvents,
        back_off: BackOff,
        checking: Checking,
        builds: bool = True,
    ) -> None:
        self._sources = sources
        self._sites = sites
        self._starter = starter
        self._events = events
        self._back_off = back_off
        self._checking = checking
        self._builds = builds
        self._looks = Coalescing(self._look)

    async def sync(self, entity: EntityRef, wish: SyncWish) -> SyncResult:
        """Wait until the site is current. Leaving early stops no build.

        Raises `EntityNotFound`, `NoDocsSource`, `CatalogUnavailable`,
        `BuildQueueFull`, the error a build ended with (see `failure_of`; also that of
        a build that failed lately, while the source is the same), and `ServerDraining`.
        """
        found = await self._sources.entity(entity, viewer=wish.viewer)
        if (known := await self._known(entity, wish)) is not None:
            return known
        owner = source_of(found).owner
        waited_for: Build | None = None
        for _ in range(_ROUNDS):
            step = await self._next(entity, waited_for, owner=owner, force=wish.force)
            if isinstance(step, SyncResult):
                return step
            waited_for = await self._succeeded(step.build)
            if step.suffices:
                break
        return _result(waited_for)

    async def stream(
        self, entity: EntityRef, wish: SyncWish, *, resume: tuple[str, int] | None = None
    ) -> AsyncIterator[SyncEvent | SyncResult | None]:
        """Do what `sync` does and yield the events of the builds it waits for; the result comes last.

        None is a heartbeat. ``resume`` is a build id and the last sequence the caller
        has of it. Raises as `sync`, and `BuildNotFound` when the build to resume is
        not one of the entity's.
        """
        if resume is not None:
            build = await self._starter.build(resume[0])
            if build.entity != entity:
                raise BuildNotFound(build.name)
            async for event in self._follow(build, after_sequence=resume[1]):
                yield event
            yield _result(await self._succeeded(build))
            return
        found = await self._sources.entity(entity, viewer=wish.viewer)
        if (known := await self._known(entity, wish)) is not None:
            yield known
            return
        owner = source_of(found).owner
        waited_for: Build | None = None
        for _ in range(_ROUNDS):
            step = await self._next(entity, waited_for, owner=owner, force=wish.force)
            if isinstance(step, SyncResult):
                yield step
                return
            async for event in self._follow(step.build, after_sequence=0):
                yield event
            waited_for = await self._succeeded(step.build)
            if step.suffices:
                break
        yield _result(waited_for)

    async def _known(self, entity: EntityRef, wish: SyncWish) -> SyncResult | None:
        """Return the result that needs no look at the source, if there is one."""
        if not self._builds:
            pointer = await self._sites.pointer(entity)
            return SyncResult(pointer.revision if pointer else "", updated=False, build="")
        if wish.force:
            return None
        revision = await self._checking.revision(entity, max_age=wish.max_check_age)
        return None if revision is None else SyncResult(revision, updated=False, build="")

    async def _succeeded(self, build: Build) -> Build:
        """Wait until a build has ended, and return it. Raises the error it ended with."""
        ended = await self._events.ended(build.id)
        if ended.state is not BuildState.SUCCEEDED:
            raise failure_of(ended)
        await self._checking.built(ended)
        return ended

    async def refresh(self, entity: EntityRef) -> None:
        """Queue a build of the schedule when the source changed; do not wait for it. Raises as `sync`, before builds."""
        if not self._builds:
            return
        look = await self._looks.ask(entity)
        if look.is_current or await self._back_off.recent_failure(entity, look.etag) is not None:
            return
        wanted = self._starter.wanted(entity, trigger=BuildTrigger.REFRESH, owner=look.owner)
        await self._starter.start_or_join(wanted)

    async def _follow(self, build: Build, *, after_sequence: int) -> AsyncIterator[SyncEvent | None]:
        async for event in self._events.watch(build.id, after_sequence=after_sequence):
            yield None if event is None else SyncEvent(build.name, event)

    async def _next(
        self, entity: EntityRef, waited_for: Build | None, *, owner: str, force: bool
    ) -> SyncResult | _Step:
        """Return the result when no build is needed, or no further one; else the build to wait for."""
        if not force:
            look = await self._looks.ask(entity)
            if look.is_current and look.pointer is not None:
                if waited_for is None:
                    return SyncResult(look.pointer.revision, updated=False, build="")
                return SyncResult(look.pointer.revision, updated=waited_for.updated, build=waited_for.name)
            if (failed := await self._back_off.recent_failure(entity, look.etag)) is not None:
                raise failure_of(failed)
            owner = look.owner
        wanted = self._starter.wanted(entity, force=force, trigger=BuildTrigger.REQUEST, owner=owner)
        build, created = await self._starter.start_or_join(wanted)
        return _Step(build, suffices=created or (force and build.force))

    async def _look(self, entity: EntityRef) -> _Look:
        # Shared by all who ask, so it is nobody's own look; each was asked for with its own rights before.
        found = await self._sources.find(entity, viewer=INTERNAL)
        began = self._checking.now()
        try:
            etag = await self._sources.etag(found.source)
        except (BuildStepFailed, QuotaExceeded):
            etag = ""  # a build will meet the same problem and write it down where its author looks
        # Read last, so that what is called current was so after the question.
        look = _Look(found.owner, etag, await self._sites.pointer(entity))
        if look.is_current and look.pointer is not None:
            await self._checking.found_current(entity, look.pointer, at=began)
        return look


@dataclass(frozen=True, slots=True)
class _Step:
    """A build to wait for, and whether it certainly reads the source after the question."""

    build: Build
    suffices: bool


def _result(build: Build | None) -> SyncResult:
    assert build is not None  # noqa: S101 - every path here has waited for a build
    return SyncResult(build.revision, updated=build.updated, build=build.name)


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
            error = BuildFailed(ref, build.name, problem.phase, problem.advice)
    error.metadata |= {"build": build.name, "phase": str(problem.phase)}
    if problem.cause:
        error.metadata["cause"] = problem.cause
    return error
