"""Creating builds: at most one in flight per entity, retries made safe by request ids."""

from __future__ import annotations

from dataclasses import replace

from techdocs_server.domain.build import Build, BuildEvent, BuildTrigger
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import BuilderDisabled, BuildNotFound, BuildQueueFull, RequestIdReused
from techdocs_server.domain.principal import Principal
from techdocs_server.ports.clock import Clock
from techdocs_server.ports.queue import BuildQueue
from techdocs_server.ports.records import BuildRecords
from techdocs_server.services.dispatching import Dispatcher
from techdocs_server.services.sources import Sources


class BuildStarter:
    """Queues and cancels builds."""

    def __init__(
        self,
        *,
        sources: Sources,
        records: BuildRecords,
        queue: BuildQueue,
        dispatcher: Dispatcher,
        clock: Clock,
        builds: bool = True,
    ) -> None:
        self._sources = sources
        self._records = records
        self._queue = queue
        self._dispatcher = dispatcher
        self._clock = clock
        self._builds = builds

    async def create(self, entity: EntityRef, *, viewer: Principal, force: bool, request_id: str | None) -> Build:
        """Return a new queued build, or the one in flight, or the one this request id made before.

        Raises `EntityNotFound`, `NoDocsSource`, `CatalogUnavailable`,
        `BuildQueueFull`, `RequestIdReused`, and `BuilderDisabled` where nothing is built.
        """
        if not self._builds:
            raise BuilderDisabled
        owner = (await self._sources.find(entity, viewer=viewer)).owner
        build, _ = await self.start_or_join(
            Build.queued(entity, now=self._clock.now(), force=force, request_id=request_id, owner=owner)
        )
        return build

    def wanted(self, entity: EntityRef, *, force: bool = False, trigger: BuildTrigger, owner: str) -> Build:
        """Return a build as `start_or_join` takes it."""
        return Build.queued(entity, now=self._clock.now(), force=force, trigger=trigger, owner=owner)

    async def start_or_join(self, wanted: Build) -> tuple[Build, bool]:
        """Return the wanted build queued, or one that does instead, and whether it is the wanted one.

        A waiting build of the schedule that somebody now asks for moves up. Raises
        `BuildQueueFull` and `RequestIdReused`. Does not ask the catalog.
        """
        if (active := await self._records.active_build(wanted.entity)) is None:
            await self._queue.ensure_room()
        elif wanted.request_id is None:
            await self._join(active, wanted)
            return active, False
        queued = replace(wanted, last_sequence=1)
        kept = await self._records.create_build(queued, events=[BuildEvent(1, queued.create_time, queued)])
        if kept.id != wanted.id:
            if kept.request_id is not None and kept.request_id == wanted.request_id and not _is_same(kept, wanted):
                raise RequestIdReused
            await self._join(kept, wanted)
            return kept, False
        try:
            await self._queue.submit(kept)
        except BuildQueueFull as error:
            await self._dispatcher.fail(kept, error)
            raise
        return kept, True

    async def _join(self, active: Build, wanted: Build) -> None:
        if active.trigger is BuildTrigger.REFRESH and wanted.trigger is BuildTrigger.REQUEST:
            await self._queue.promote(active.id)

    async def build(self, build_id: str) -> Build:
        """Return one build. Raises `BuildNotFound`."""
        build = await self._records.build(build_id)
        if build is None:
            raise BuildNotFound(f"builds/{build_id}")
        return build

    async def cancel(self, build_id: str) -> Build:
        """Stop a build and return it as it then stands. One that has ended stays as it is. Raises `BuildNotFound`."""
        build = await self.build(build_id)
        if not build.state.is_final:
            await self._dispatcher.cancel(build, self._queue)
        return await self.build(build_id)


def _is_same(kept: Build, wanted: Build) -> bool:
    return (kept.entity, kept.force) == (wanted.entity, wanted.force)
