"""Pointers kept in memory, in front of any records of sites."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

from techdocs_server.domain.build import BuildFence
from techdocs_server.domain.change import Cause, SiteAction
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.domain.site import Revision, Site, SitePointer
from techdocs_server.ports.records import SiteRecords

# How long the records are left alone after they could not be asked: a database that is gone in silence would let
# every reader wait for a connection.
_LEFT_ALONE_SECONDS = 1.0


class _Kept(NamedTuple):
    """A pointer, whether it is certain that it has not moved since, and when it was asked for (monotonic)."""

    pointer: SitePointer
    is_certain: bool
    asked: float


class CachingSiteRecords:
    """SiteRecords that remember pointers, at most ``max_pointers`` of them.

    **Every write must go through this one object, or be told to it.** Where other
    processes write too, whoever hears of it calls `heard`, and `lost` while nobody
    hears anything; ``max_age_seconds`` then bounds what a missed notice can cost.

    A remembered pointer costs no thread and no query. A write makes it uncertain,
    however it ended: the next reader asks again, and gets the remembered one only
    while the records are unavailable; then they are left alone for a second after
    each attempt. That a site does not exist is not remembered: asking for many such names would push out those that do.
    """

    def __init__(
        self,
        inner: SiteRecords,
        *,
        max_pointers: int = 10_000,
        max_age_seconds: float | None = None,
        changed: Callable[[EntityRef], None] = lambda _: None,
    ) -> None:
        self._inner = inner
        self._max_pointers = max_pointers
        self._pointers: OrderedDict[EntityRef, _Kept] = OrderedDict()
        self._writes_begun = 0
        self._writes_in_flight = 0
        self._max_age = max_age_seconds
        self._changed = changed
        self._is_deaf = False
        self._left_alone_until = float("-inf")

    def heard(self, entity: EntityRef) -> None:
        """Another process has written of this site, or may have."""
        self._left_alone_until = float("-inf")  # somebody has just written to them
        self._writes_begun += 1  # answers that are under way may be from before it
        self._doubt(entity)

    def lost(self) -> None:
        """From now on, nobody hears of other processes' writes."""
        self._is_deaf = True

    def found(self) -> None:
        """From now on, every write is heard of; of those before it is unknown."""
        self._is_deaf = False
        self._left_alone_until = float("-inf")
        self._writes_begun += 1
        for entity in self._pointers:
            self._doubt(entity)

    async def pointer(self, entity: EntityRef) -> SitePointer | None:
        """Return which revision a site serves, or None when there is no such site."""
        kept = self._pointers.get(entity)
        if kept is None or not (self._is_certain(kept) or time.monotonic() < self._left_alone_until):
            return await self._asked(entity)
        self._pointers.move_to_end(entity)
        return kept.pointer

    async def add_revision(self, revision: Revision) -> Revision:
        """Remember a revision. Moves no pointer."""
        return await self._inner.add_revision(revision)

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
        """Make a known revision current."""
        with self._writing(entity):
            moved = await self._inner.move_pointer(
                entity, to=to, source_etag=source_etag, expected=expected, now=now, cause=cause, fence=fence
            )
            self._keep(entity, moved, is_certain=False)
            return moved

    async def revision(self, entity: EntityRef, revision: str) -> Revision | None:
        """Return one revision of a site, or None."""
        return await self._inner.revision(entity, revision)

    async def revisions(
        self, entity: EntityRef, *, after: tuple[datetime, str] | None, limit: int
    ) -> Sequence[Revision]:
        """Return revisions, newest first."""
        return await self._inner.revisions(entity, after=after, limit=limit)

    async def site(self, entity: EntityRef) -> Site | None:
        """Return a site as listings show it, or None."""
        return await self._inner.site(entity)

    async def sites(
        self, *, namespace: str | None, kind: str | None, after: EntityRef | None, limit: int
    ) -> Sequence[Site]:
        """Return sites in the order of their entities."""
        return await self._inner.sites(namespace=namespace, kind=kind, after=after, limit=limit)

    async def delete_site(
        self,
        entity: EntityRef,
        *,
        expected: SitePointer,
        now: datetime,
        cause: Cause = Cause(SiteAction.DELETED),  # noqa: B008 - it does not change
    ) -> None:
        """Forget a site with its pointer and all revisions."""
        with self._writing(entity):
            await self._inner.delete_site(entity, expected=expected, now=now, cause=cause)
            self._pointers.pop(entity, None)

    async def delete_revision(
        self,
        entity: EntityRef,
        revision: str,
        *,
        now: datetime,
        cause: Cause = Cause(SiteAction.REVISION_DELETED),  # noqa: B008 - it does not change
    ) -> None:
        """Delete a revision. Moves no pointer."""
        with self._telling(entity):
            await self._inner.delete_revision(entity, revision, now=now, cause=cause)

    async def pin_revision(
        self,
        entity: EntityRef,
        revision: str,
        *,
        pinned: bool,
        now: datetime,
        cause: Cause = Cause(SiteAction.REVISION_PINNED),  # noqa: B008 - it does not change
    ) -> Revision:
        """Pin a revision or end that. Moves no pointer."""
        with self._telling(entity):
            return await self._inner.pin_revision(entity, revision, pinned=pinned, now=now, cause=cause)

    async def _asked(self, entity: EntityRef) -> SitePointer | None:
        """Ask the inner records, and remember their answer unless a write overlapped it."""
        begun, is_quiet = self._writes_begun, self._writes_in_flight == 0
        try:
            pointer = await self._inner.pointer(entity)
        except StorageUnavailable:
            last_known = self._pointers.get(entity)
            if last_known is None:
                raise
            self._left_alone_until = time.monotonic() + _LEFT_ALONE_SECONDS
            return last_known.pointer
        self._left_alone_until = float("-inf")
        # An overlapped answer may be from before the write.
        if is_quiet and begun == self._writes_begun:
            self._keep(entity, pointer, is_certain=True)
        return pointer

    @contextmanager
    def _telling(self, entity: EntityRef) -> Iterator[None]:
        """Tell of a write when it is over: a failed one may have happened all the same."""
        try:
            yield
        finally:
            self._changed(entity)

    @contextmanager
    def _writing(self, entity: EntityRef) -> Iterator[None]:
        """Make a pointer uncertain when the write is over: a failed one may have happened all the same."""
        self._writes_begun += 1
        self._writes_in_flight += 1
        try:
            yield
        finally:
            self._writes_in_flight -= 1
            self._doubt(entity)
            self._changed(entity)

    def _is_certain(self, kept: _Kept) -> bool:
        if not kept.is_certain or self._is_deaf:
            return False
        return self._max_age is None or time.monotonic() - kept.asked < self._max_age

    def _doubt(self, entity: EntityRef) -> None:
        if entity in self._pointers:
            self._pointers[entity] = self._pointers[entity]._replace(is_certain=False)

    def _keep(self, entity: EntityRef, pointer: SitePointer | None, *, is_certain: bool) -> None:
        self._pointers.pop(entity, None)
        if pointer is None:
            return
        self._pointers[entity] = _Kept(pointer, is_certain, time.monotonic())
        if len(self._pointers) > self._max_pointers:
            self._pointers.popitem(last=False)
