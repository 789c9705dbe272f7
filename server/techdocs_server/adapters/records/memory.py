"""Records in memory: for tests, and for trying the service out. They have no bound.

No method waits between reading and writing, so each is atomic on its event loop.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from techdocs_server.adapters.records.event_order import check_attempt, check_order
from techdocs_server.adapters.records.memory_changes import MemoryChangeRecords
from techdocs_server.adapters.records.memory_revisions import (
    MemoryRevisionSweeping,
    Published,
    RevisionRow,
    SiteRecord,
)
from techdocs_server.domain.build import Build, BuildEvent, BuildFence, BuildState
from techdocs_server.domain.change import Cause, SiteAction
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import RevisionConflict, RevisionNotFound
from techdocs_server.domain.site import Revision, Site, SitePointer
from techdocs_server.ports.records import BuildSuperseded


class MemorySiteRecords:
    """SiteRecords that are gone with their process. See the port for what each method promises."""

    def __init__(self, builds: MemoryBuildRecords | None = None) -> None:
        self.changes = MemoryChangeRecords()
        self._sites: dict[EntityRef, SiteRecord] = {}
        self.sweeping = MemoryRevisionSweeping(self._sites)
        self._builds = builds or MemoryBuildRecords()

    async def pointer(self, entity: EntityRef) -> SitePointer | None:
        """Return which revision a site serves, or None when there is no such site."""
        published = self._record(entity).published
        return None if published is None else published.pointer

    async def add_revision(self, revision: Revision) -> Revision:
        """Remember a revision; one that is known already is kept as it was. Returns the kept one."""
        record = self._sites.setdefault(revision.entity, SiteRecord())
        row = record.rows.get(revision.revision)
        if row is None or row.delete_time is not None:
            row = record.rows[revision.revision] = RevisionRow(revision)
        return row.revision

    async def move_pointer(
        self,
        entity: EntityRef,
        *,
        to: str,
        source_etag: str,
        expected: SitePointer | None,
        now: datetime,
        cause: Cause = Cause(),  # noqa: B008 - it does not change
        fence: BuildFence | None = None,
    ) -> SitePointer:
        """Make a known revision current. Raises `BuildSuperseded`, then `RevisionConflict`, then `RevisionNotFound`."""
        if fence is not None:
            self._builds.check_fence(fence)
        record = self._record(entity)
        _check_pointer(entity, record, expected)
        row = record.rows.get(to)
        if row is None or row.delete_time is not None:
            raise RevisionNotFound(str(entity), to)
        record.version += 1
        row.is_published = True
        pointer = SitePointer(to, record.version, source_etag, row.revision.manifest_bytes, now)
        create_time = record.published.create_time if record.published else now
        record.published = Published(pointer, create_time, update_time=now)
        previous = expected.revision if expected else ""
        self.changes.note(entity, cause, revision=to, previous_revision=previous, version=pointer.version, now=now)
        return pointer

    async def revision(self, entity: EntityRef, revision: str) -> Revision | None:
        """Return one revision that a pointer has named, or None."""
        return self._record(entity).visible.get(revision)

    async def revisions(
        self, entity: EntityRef, *, after: tuple[datetime, str] | None, limit: int
    ) -> Sequence[Revision]:
        """Return revisions that a pointer has named, newest first."""
        visible = self._record(entity).visible.values()
        older = [revision for revision in visible if after is None or _revision_key(revision) < after]
        return sorted(older, key=_revision_key, reverse=True)[:limit]

    async def site(self, entity: EntityRef) -> Site | None:
        """Return a site as listings show it, or None."""
        record = self._record(entity)
        return None if record.published is None else _site(entity, record, record.published)

    async def sites(
        self, *, namespace: str | None, kind: str | None, after: EntityRef | None, limit: int
    ) -> Sequence[Site]:
        """Return sites in the order of their entities."""
        listed = [
            _site(entity, record, record.published)
            for entity, record in sorted(self._sites.items(), key=lambda item: item[0])
            if record.published is not None
            and namespace in (None, entity.namespace)
            and kind in (None, entity.kind)
            and (after is None or entity > after)
        ]
        return listed[:limit]

    async def delete_site(
        self,
        entity: EntityRef,
        *,
        expected: SitePointer,
        now: datetime,
        cause: Cause = Cause(SiteAction.DELETED),  # noqa: B008 - it does not change
    ) -> None:
        """Forget a site but for its version. Raises `RevisionConflict`."""
        record = self._record(entity)
        _check_pointer(entity, record, expected)
        record.published = None
        record.delete_all(now)
        self.changes.note(
            entity, cause, revision="", previous_revision=expected.revision, version=record.version, now=now
        )

    async def delete_revision(
        self,
        entity: EntityRef,
        revision: str,
        *,
        now: datetime,
        cause: Cause = Cause(SiteAction.REVISION_DELETED),  # noqa: B008 - it does not change
    ) -> None:
        """Delete a revision. Raises `RevisionNotFound`, `RevisionIsCurrent` and `RevisionPinned`."""
        record = self._record(entity)
        record.delete(entity, revision, now)
        self._note_revision(entity, record, revision, now, cause)

    async def pin_revision(
        self,
        entity: EntityRef,
        revision: str,
        *,
        pinned: bool,
        now: datetime,
        cause: Cause = Cause(SiteAction.REVISION_PINNED),  # noqa: B008 - it does not change
    ) -> Revision:
        """Pin a revision or end that. Raises `RevisionNotFound`."""
        record = self._record(entity)
        if record.pin(entity, revision, pinned=pinned):
            self._note_revision(entity, record, revision, now, cause)
        return record.visible[revision]

    def _note_revision(self, entity: EntityRef, record: SiteRecord, revision: str, now: datetime, cause: Cause) -> None:
        self.changes.note(entity, cause, revision=revision, previous_revision="", version=record.version, now=now)

    def _record(self, entity: EntityRef) -> SiteRecord:
        """Return the record of a site; an empty one, not kept, when there is none."""
        return self._sites.get(entity) or SiteRecord()


class MemoryBuildRecords:
    """BuildRecords that are gone with their process. See the port for what each method promises."""

    def __init__(self) -> None:
        self._builds: dict[str, Build] = {}
        self._events: dict[str, list[BuildEvent]] = {}

    async def create_build(self, build: Build, *, events: Sequence[BuildEvent] = ()) -> Build:
        """Remember a new build with its first events, or return the one that stands in its way."""
        for known in self._builds.values():
            if build.request_id is not None and known.request_id == build.request_id:
                return known
        active = await self.active_build(build.entity)
        if active is not None:
            return active
        self._events.setdefault(build.id, list(events))
        return self._builds.setdefault(build.id, build)

    async def build(self, build_id: str) -> Build | None:
        """Return one build, or None."""
        return self._builds.get(build_id)

    async def active_build(self, entity: EntityRef) -> Build | None:
        """Return the build of an entity that has not ended, or None."""
        of_entity = (build for build in self._builds.values() if build.entity == entity)
        return next((build for build in of_entity if not build.state.is_final), None)

    async def builds(
        self,
        *,
        entity: EntityRef | None,
        states: Collection[BuildState],
        after: tuple[datetime, str] | None,
        limit: int,
    ) -> Sequence[Build]:
        """Return builds, newest first."""
        listed = [
            build
            for build in self._builds.values()
            if entity in (None, build.entity)
            and (not states or build.state in states)
            and (after is None or _build_key(build) < after)
        ]
        return sorted(listed, key=_build_key, reverse=True)[:limit]

    async def append_events(self, build: Build, events: Sequence[BuildEvent]) -> None:
        """Append events and save the build as it is after them.

        ``last_sequence`` becomes that of the last event, whatever the build says.
        Raises `ValueError` also for a build that is unknown or has ended.
        """
        stored = self._builds.get(build.id)
        if stored is None:
            raise ValueError(f"there is no build {build.id}")
        check_attempt(build, stored_attempt=stored.attempt)
        check_order(events, last_sequence=stored.last_sequence, state=stored.state)
        self._events[build.id].extend(events)
        self._builds[build.id] = replace(build, last_sequence=stored.last_sequence + len(events))

    def check_fence(self, fence: BuildFence) -> None:
        """Raise `BuildSuperseded` unless this attempt of the build runs."""
        build = self._builds.get(fence.build_id)
        if build is None or build.state.is_final or build.fence != fence:
            raise BuildSuperseded(fence.build_id)

    async def events(self, build_id: str, *, after_sequence: int, limit: int) -> Sequence[BuildEvent]:
        """Return events in order, from the one after ``after_sequence``."""
        # The event with sequence n stands at n - 1: they count from 1 without gaps.
        start = max(after_sequence, 0)
        return self._events.get(build_id, [])[start : start + limit]


def _check_pointer(entity: EntityRef, record: SiteRecord, expected: SitePointer | None) -> None:
    current = record.published.pointer if record.published else None
    if (current and current.version) != (expected and expected.version):
        raise RevisionConflict(str(entity))


def _site(entity: EntityRef, record: SiteRecord, published: Published) -> Site:
    return Site(
        entity=entity,
        pointer=published.pointer,
        title=record.visible[published.pointer.revision].site_name,
        create_time=published.create_time,
        update_time=published.update_time,
        revision_count=len(record.visible),
    )


def _revision_key(revision: Revision) -> tuple[datetime, str]:
    return revision.create_time, revision.revision


def _build_key(build: Build) -> tuple[datetime, str]:
    return build.create_time, build.id
