"""Telling somebody that a pointer moved, in front of any records of sites."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.site import Revision, Site, SitePointer
from techdocs_server.ports.records import SiteRecords


class AnnouncingSiteRecords:
    """SiteRecords that call ``moved`` after each pointer that moved through them: a build, a rollback, whatever it was.

    ``moved`` must return at once and never fail. It may be called for a move that changed nothing but the source.
    """

    def __init__(self, inner: SiteRecords, moved: Callable[[EntityRef], None]) -> None:
        self._inner = inner
        self._moved = moved

    async def pointer(self, entity: EntityRef) -> SitePointer | None:
        """Return which revision a site serves, or None when there is no such site."""
        return await self._inner.pointer(entity)

    async def add_revision(self, revision: Revision) -> Revision:
        """Remember a revision. Moves no pointer."""
        return await self._inner.add_revision(revision)

    async def move_pointer(
        self, entity: EntityRef, *, to: str, source_etag: str, expected: SitePointer | None, now: datetime
    ) -> SitePointer:
        """Make a known revision current, and say so."""
        moved = await self._inner.move_pointer(entity, to=to, source_etag=source_etag, expected=expected, now=now)
        self._moved(entity)
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

    async def delete_site(self, entity: EntityRef, *, expected: SitePointer) -> None:
        """Forget a site with its pointer and all revisions."""
        await self._inner.delete_site(entity, expected=expected)
