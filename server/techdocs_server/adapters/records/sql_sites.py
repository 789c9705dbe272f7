"""Pointers and revisions in a database.

The row of a site stays when the site is deleted, without a revision: its version
goes on counting, so that no pointer ever equals one from before. Whoever changes
a site locks that row first, which makes changes of one site take turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, update

from techdocs_server.adapters.records.engine import SqlDatabase
from techdocs_server.adapters.records.schema import revisions, sites
from techdocs_server.adapters.records.site_rows import (
    POINTER_ROW,
    PUBLISHED_REVISIONS,
    SITE_LISTING,
    SITE_ROW,
    UNSAVED,
    check_pointer,
    comes_after,
    entity_key,
    is_entity,
    is_older,
    locked_site,
    pointer_of,
    revision_of,
    site_of,
)
from techdocs_server.adapters.records.sql_builds import check_fence
from techdocs_server.adapters.records.sql_changes import note_change
from techdocs_server.adapters.records.sql_revisions import add_revision, delete_all, delete_revision, pin_revision
from techdocs_server.domain.build import BuildFence
from techdocs_server.domain.change import Cause, SiteAction
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import RevisionNotFound
from techdocs_server.domain.site import Revision, Site, SitePointer


class SqlSiteRecords:
    """SiteRecords over a database that `upgrade` has brought up to date.

    See the port for what each method promises.
    """

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    async def pointer(self, entity: EntityRef) -> SitePointer | None:
        """Return which revision a site serves, or None when there is no such site."""
        return await self._database.read(_pointer, entity)

    async def add_revision(self, revision: Revision) -> Revision:
        """Remember a revision; one that is known already is kept as it was. Returns the kept one."""
        return await self._database.write(add_revision, revision)

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
        return await self._database.write(_move_pointer, entity, to, source_etag, expected, now, cause, fence)

    async def revision(self, entity: EntityRef, revision: str) -> Revision | None:
        """Return one revision that a pointer has named, or None."""
        return await self._database.read(_revision, entity, revision)

    async def revisions(
        self, entity: EntityRef, *, after: tuple[datetime, str] | None, limit: int
    ) -> Sequence[Revision]:
        """Return revisions that a pointer has named, newest first."""
        return await self._database.read(_revisions, entity, after, limit)

    async def site(self, entity: EntityRef) -> Site | None:
        """Return a site as listings show it, or None."""
        return await self._database.read(_site, entity)

    async def sites(
        self, *, namespace: str | None, kind: str | None, after: EntityRef | None, limit: int
    ) -> Sequence[Site]:
        """Return sites in the order of their entities."""
        return await self._database.read(_sites, namespace, kind, after, limit)

    async def delete_site(
        self,
        entity: EntityRef,
        *,
        expected: SitePointer,
        now: datetime,
        cause: Cause = Cause(SiteAction.DELETED),  # noqa: B008 - it does not change
    ) -> None:
        """Forget a site but for its version. Raises `RevisionConflict`."""
        await self._database.write(_delete_site, entity, expected, now, cause)

    async def delete_revision(
        self,
        entity: EntityRef,
        revision: str,
        *,
        now: datetime,
        cause: Cause = Cause(SiteAction.REVISION_DELETED),  # noqa: B008 - it does not change
    ) -> None:
        """Delete a revision. Raises `RevisionNotFound`, `RevisionIsCurrent` and `RevisionPinned`."""
        await self._database.write(delete_revision, entity, revision, now, cause)

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
        return await self._database.write(pin_revision, entity, revision, pinned, now, cause)


def _pointer(connection: Connection, entity: EntityRef) -> SitePointer | None:
    return pointer_of(connection.execute(POINTER_ROW, entity_key(entity)).mappings().first())


def _revision(connection: Connection, entity: EntityRef, revision: str) -> Revision | None:
    statement = PUBLISHED_REVISIONS.where(revisions.c.revision == revision)
    row = connection.execute(statement, entity_key(entity)).mappings().first()
    return None if row is None else revision_of(row)


def _revisions(
    connection: Connection, entity: EntityRef, after: tuple[datetime, str] | None, limit: int
) -> list[Revision]:
    statement = PUBLISHED_REVISIONS
    if after is not None:
        statement = statement.where(is_older(after))
    statement = statement.order_by(revisions.c.create_time.desc(), revisions.c.revision.desc()).limit(limit)
    return [revision_of(row) for row in connection.execute(statement, entity_key(entity)).mappings()]


def _site(connection: Connection, entity: EntityRef) -> Site | None:
    row = connection.execute(SITE_LISTING.where(is_entity(entity))).mappings().first()
    return None if row is None else site_of(row)


def _sites(
    connection: Connection, namespace: str | None, kind: str | None, after: EntityRef | None, limit: int
) -> list[Site]:
    statement = SITE_LISTING
    if namespace is not None:
        statement = statement.where(sites.c.namespace == namespace)
    if kind is not None:
        statement = statement.where(sites.c.kind == kind)
    if after is not None:
        statement = statement.where(comes_after(after))
    statement = statement.order_by(sites.c.namespace, sites.c.kind, sites.c.name).limit(limit)
    return [site_of(row) for row in connection.execute(statement).mappings()]


def _move_pointer(
    connection: Connection,
    entity: EntityRef,
    to: str,
    source_etag: str,
    expected: SitePointer | None,
    now: datetime,
    cause: Cause,
    fence: BuildFence | None,
) -> SitePointer:
    site = locked_site(connection, entity)
    if fence is not None:
        check_fence(connection, fence)
    check_pointer(entity, site, expected)
    published = (
        update(revisions)
        .where(revisions.c.site_id == site["id"], revisions.c.revision == to, revisions.c.delete_time.is_(None))
        .values(is_published=True)
        .returning(revisions.c.manifest_bytes)
    )
    manifest_bytes = connection.execute(published).scalar()
    if manifest_bytes is None:
        raise RevisionNotFound(str(entity), to)
    moved = SitePointer(to, site["version"] + 1, source_etag, manifest_bytes, now)
    values = {"revision": to, "version": moved.version, "source_etag": source_etag, "update_time": now}
    if expected is None:
        values["create_time"] = now
    connection.execute(update(sites).where(sites.c.id == site["id"]).values(values))
    note_change(
        connection,
        entity,
        cause,
        revision=to,
        previous_revision=expected.revision if expected else "",
        version=moved.version,
        now=now,
    )
    return moved


def _delete_site(connection: Connection, entity: EntityRef, expected: SitePointer, now: datetime, cause: Cause) -> None:
    site = connection.execute(SITE_ROW.with_for_update(), entity_key(entity)).mappings().first()
    check_pointer(entity, site, expected)
    if site is None:
        return
    delete_all(connection, site["id"], now)
    connection.execute(
        update(sites)
        .where(sites.c.id == site["id"])
        .values(revision=None, source_etag="", create_time=None, update_time=None, saved_version=UNSAVED)
    )
    note_change(
        connection,
        entity,
        cause,
        revision="",
        previous_revision=expected.revision,
        version=expected.version,
        now=now,
    )
