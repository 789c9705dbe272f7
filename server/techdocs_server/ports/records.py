"""What must be remembered besides bytes: pointers, revisions, builds, events.

Only `StorageUnavailable` leaves an implementation, besides what a method names.
Every method is atomic: after a failure either all of it or nothing has happened.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from techdocs_server.domain.build import Build, BuildEvent, BuildFence, BuildState
from techdocs_server.domain.change import Cause, SiteAction
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.site import Revision, Site, SitePointer


class BuildSuperseded(Exception):
    """A later attempt of the same build was begun, or the build has ended: this one must stop. Never leaves the service."""


class SiteRecords(Protocol):
    """Pointers and revisions of sites."""

    async def pointer(self, entity: EntityRef) -> SitePointer | None:
        """Return which revision a site serves, or None when there is no such site."""
        ...

    async def add_revision(self, revision: Revision) -> Revision:
        """Remember a revision; one that is known already is kept as it was. Returns the kept one.

        It is not visible to readers before a pointer names it. One that was deleted
        is not known: it is remembered anew, as it is given.
        """
        ...

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
        """Make a known revision current, remember the source synced last, and write the change down.

        Happens only if the pointer's version still is the expected one's (None: there is no site yet).
        Raises `RevisionConflict` when it is another one, `RevisionNotFound`
        when the revision is not one of the site's, and `BuildSuperseded` when the
        fence is given and its attempt is not the one that runs.
        """
        ...

    async def revision(self, entity: EntityRef, revision: str) -> Revision | None:
        """Return one revision of a site, or None."""
        ...

    async def revisions(
        self, entity: EntityRef, *, after: tuple[datetime, str] | None, limit: int
    ) -> Sequence[Revision]:
        """Return revisions, newest first; ``after`` is (create_time, revision) of the last one seen."""
        ...

    async def site(self, entity: EntityRef) -> Site | None:
        """Return a site as listings show it, or None."""
        ...

    async def sites(
        self, *, namespace: str | None, kind: str | None, after: EntityRef | None, limit: int
    ) -> Sequence[Site]:
        """Return sites in the order of their entities."""
        ...

    async def delete_site(
        self,
        entity: EntityRef,
        *,
        expected: SitePointer,
        now: datetime,
        cause: Cause = Cause(SiteAction.DELETED),  # noqa: B008 - it does not change
    ) -> None:
        """Forget a site with its pointer and all revisions, and write the change down.

        The revisions, pinned ones too, are deleted as `delete_revision` does it.
        A site made again later goes on with the next version, so that no pointer
        ever equals one from before. Raises `RevisionConflict` when the pointer is
        another one or gone.
        """
        ...

    async def delete_revision(
        self,
        entity: EntityRef,
        revision: str,
        *,
        now: datetime,
        cause: Cause = Cause(SiteAction.REVISION_DELETED),  # noqa: B008 - it does not change
    ) -> None:
        """Delete a revision, and write the change down.

        Nobody finds it any more; what it needs is remembered for those who are
        reading it, until `RevisionSweeping.purge`. Raises `RevisionNotFound`,
        `RevisionIsCurrent` and `RevisionPinned`.
        """
        ...

    async def pin_revision(
        self,
        entity: EntityRef,
        revision: str,
        *,
        pinned: bool,
        now: datetime,
        cause: Cause = Cause(SiteAction.REVISION_PINNED),  # noqa: B008 - it does not change
    ) -> Revision:
        """Pin a revision or end that, and return it; write the change down if it is one. Raises `RevisionNotFound`."""
        ...


class BuildRecords(Protocol):
    """Builds and their events."""

    async def create_build(self, build: Build, *, events: Sequence[BuildEvent] = ()) -> Build:
        """Remember a new build with its first events, unless its entity has an active one or its request id is known.

        Returns the build given; else the one that has its request id; else the
        active one of its entity.
        """
        ...

    async def build(self, build_id: str) -> Build | None:
        """Return one build, or None. ``last_sequence`` is that of its latest event."""
        ...

    async def active_build(self, entity: EntityRef) -> Build | None:
        """Return the build of an entity that has not ended, or None. There is at most one."""
        ...

    async def builds(
        self,
        *,
        entity: EntityRef | None,
        states: Collection[BuildState],
        after: tuple[datetime, str] | None,
        limit: int,
    ) -> Sequence[Build]:
        """Return builds, newest first; no states means all; ``after`` is (create_time, id) of the last one seen."""
        ...

    async def append_events(self, build: Build, events: Sequence[BuildEvent]) -> None:
        """Append events and save the build as it is after them.

        The first event's sequence must follow the last one stored; otherwise
        `ValueError`, and nothing is stored. Raises `BuildSuperseded` when the stored build
        has ended, and unless the build's attempt is the one stored, or the next one, queued.
        """
        ...

    async def events(self, build_id: str, *, after_sequence: int, limit: int) -> Sequence[BuildEvent]:
        """Return events in order, from the one after ``after_sequence``."""
        ...
