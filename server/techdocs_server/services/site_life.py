"""Looking at a site, rolling it back, deleting it."""

from __future__ import annotations

from techdocs_server.domain.build import Build
from techdocs_server.domain.change import SiteAction
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import (
    BuildInProgress,
    ETagMismatch,
    RevisionConflict,
    RevisionNotFound,
    SiteNotFound,
)
from techdocs_server.domain.site import Revision, Site, SitePointer
from techdocs_server.ports.clock import Clock
from techdocs_server.ports.queue import BuildQueue
from techdocs_server.ports.records import BuildRecords, SiteRecords
from techdocs_server.ports.reuse import ReuseStates
from techdocs_server.services.attribution import called
from techdocs_server.services.build_events import BuildEvents
from techdocs_server.services.dispatching import Dispatcher


class SiteLife:
    """What happens to sites besides builds."""

    def __init__(
        self,
        *,
        sites: SiteRecords,
        builds: BuildRecords,
        dispatcher: Dispatcher,
        queue: BuildQueue,
        events: BuildEvents,
        reuse: ReuseStates,
        clock: Clock,
    ) -> None:
        self._sites = sites
        self._builds = builds
        self._dispatcher = dispatcher
        self._queue = queue
        self._events = events
        self._reuse = reuse
        self._clock = clock

    async def site(self, entity: EntityRef) -> tuple[Site, Build | None]:
        """Return a site and its build in flight, if any. Raises `SiteNotFound`."""
        site = await self._sites.site(entity)
        if site is None:
            raise SiteNotFound(str(entity))
        return site, await self._builds.active_build(entity)

    async def revision(self, entity: EntityRef, revision: str) -> tuple[Revision, SitePointer]:
        """Return one revision and the site's pointer. Raises `SiteNotFound` and `RevisionNotFound`."""
        pointer = await self._pointer(entity)
        found = await self._sites.revision(entity, revision)
        if found is None:
            raise RevisionNotFound(str(entity), revision)
        return found, pointer

    async def roll_back(self, entity: EntityRef, revision: str, *, etag: str) -> tuple[Site, Build | None]:
        """Make a kept revision current and return the site.

        The source synced last stays remembered, so a sync of the same source does
        not undo the rollback; the next change of the source, or a forced sync,
        does. A build that began before loses against this move.

        Raises `SiteNotFound`, `RevisionNotFound`, and `ETagMismatch` when the etag
        is given and not the current one.
        """
        while True:
            _, pointer = await self.revision(entity, revision)
            self._check(entity, pointer, etag)
            if pointer.revision == revision:
                return await self.site(entity)
            try:
                await self._sites.move_pointer(
                    entity,
                    to=revision,
                    source_etag=pointer.source_etag,
                    expected=pointer,
                    now=self._clock.now(),
                    cause=called(SiteAction.ROLLED_BACK),
                )
            except RevisionConflict:
                continue  # somebody moved it between the two reads: look again
            return await self.site(entity)

    async def delete(self, entity: EntityRef, *, etag: str, allow_missing: bool, force: bool) -> None:
        """Forget a site with all its revisions, pinned ones too. Blobs stay for whoever shares them.

        Raises `SiteNotFound` unless ``allow_missing``, `ETagMismatch`, and
        `BuildInProgress` unless ``force``, which cancels the build first.
        """
        active = await self._builds.active_build(entity)
        if active is not None and not force:
            raise BuildInProgress(str(entity), active.name)
        if active is not None:
            await self._dispatcher.cancel(active, self._queue)
            await self._events.ended(active.id)
        while (pointer := await self._sites.pointer(entity)) is not None:
            self._check(entity, pointer, etag)
            try:
                await self._sites.delete_site(
                    entity, expected=pointer, now=self._clock.now(), cause=called(SiteAction.DELETED)
                )
                return await self._reuse.forget(entity)
            except RevisionConflict:
                continue
        if not allow_missing:
            raise SiteNotFound(str(entity))
        return None

    async def delete_revision(self, entity: EntityRef, revision: str, *, etag: str) -> None:
        """Delete one revision; whoever is reading it gets the rest.

        Raises `SiteNotFound`, `RevisionNotFound`, `RevisionIsCurrent`, `RevisionPinned`,
        and `ETagMismatch` when the etag is given and not the current one.
        """
        self._check(entity, await self._pointer(entity), etag)
        # A pointer that moves from here on moves to another revision, or to this one, which is refused then.
        await self._sites.delete_revision(
            entity, revision, now=self._clock.now(), cause=called(SiteAction.REVISION_DELETED)
        )

    async def pin_revision(self, entity: EntityRef, revision: str, *, pinned: bool) -> tuple[Revision, SitePointer]:
        """Keep a revision whatever its age, or let it go with its time; return it, and the site's pointer.

        Raises `SiteNotFound` and `RevisionNotFound`.
        """
        pointer = await self._pointer(entity)
        action = SiteAction.REVISION_PINNED if pinned else SiteAction.REVISION_UNPINNED
        found = await self._sites.pin_revision(
            entity, revision, pinned=pinned, now=self._clock.now(), cause=called(action)
        )
        return found, pointer

    async def _pointer(self, entity: EntityRef) -> SitePointer:
        pointer = await self._sites.pointer(entity)
        if pointer is None:
            raise SiteNotFound(str(entity))
        return pointer

    @staticmethod
    def _check(entity: EntityRef, pointer: SitePointer, etag: str) -> None:
        if etag and etag != pointer.etag:
            raise ETagMismatch(str(entity), pointer.etag)
