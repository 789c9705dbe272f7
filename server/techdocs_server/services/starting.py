"""Creating builds: at most one in flight per entity, retries made safe by request ids."""

from __future__ import annotations

from techdocs_server.domain.build import Build
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import BuildNotFound, BuildQueueFull, RequestIdReused
from techdocs_server.ports.clock import Clock
from techdocs_server.ports.queue import BuildQueue
from techdocs_server.ports.records import BuildRecords
from techdocs_server.services.building import Sources
from techdocs_server.services.dispatching import Dispatcher


class BuildStarter:
    """Queues and cancels builds."""

    def __init__(
        self, *, sources: Sources, records: BuildRecords, queue: BuildQueue, dispatcher: Dispatcher, clock: Clock
    ) -> None:
        self._sources = sources
        self._records = records
        self._queue = queue
        self._dispatcher = dispatcher
        self._clock = clock

    async def create(self, entity: EntityRef, *, force: bool, request_id: str | None) -> Build:
        """Return a new queued build, or the one in flight, or the one this request id made before.

        Raises `EntityNotFound`, `NoDocsSource`, `CatalogUnavailable`,
        `BuildQueueFull`, and `RequestIdReused`.
        """
        await self._sources.find(entity)
        build, _ = await self.start_or_join(entity, force=force, request_id=request_id)
        return build

    async def start_or_join(
        self, entity: EntityRef, *, force: bool, request_id: str | None = None
    ) -> tuple[Build, bool]:
        """Return a build of the entity and whether it is new.

        Raises `BuildQueueFull` and `RequestIdReused`. Does not ask the catalog.
        """
        if (active := await self._records.active_build(entity)) is None:
            await self._queue.ensure_room()
        elif request_id is None:
            return active, False
        wanted = Build.queued(entity, now=self._clock.now(), force=force, request_id=request_id)
        kept = await self._records.create_build(wanted)
        if kept.id != wanted.id:
            if (
                request_id is not None
                and kept.request_id == request_id
                and (kept.entity, kept.force) != (entity, force)
            ):
                raise RequestIdReused
            return kept, False
        try:
            await self._queue.submit(kept.id)
        except BuildQueueFull as error:
            await self._dispatcher.fail(kept, error)
            raise
        return kept, True

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
