"""Revisions in a database: added, pinned, deleted, and in the end forgotten.

A deleted revision keeps its row for a while: what it needs is not collected before
those who were reading it are done. Whoever asks for revisions does not see it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, RowMapping, Update, and_, delete, or_, select, update

from techdocs_server.adapters.records.engine import SqlDatabase
from techdocs_server.adapters.records.lease_gate import enter_as_collector
from techdocs_server.adapters.records.schema import blob_leases, revisions, sites
from techdocs_server.adapters.records.site_rows import (
    IS_VISIBLE,
    REVISION_ROWS,
    UNSAVED,
    comes_after,
    is_entity,
    locked_site,
    revision_of,
    revision_row,
)
from techdocs_server.adapters.records.sql_changes import note_change
from techdocs_server.adapters.records.upserts import insert_if_absent
from techdocs_server.domain.change import Cause
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import RevisionNotFound
from techdocs_server.domain.site import KeptRevision, Revision
from techdocs_server.domain.upkeep_errors import RevisionIsCurrent, RevisionPinned

_KEPT_ROWS = select(
    revisions, sites.c.namespace, sites.c.kind, sites.c.name, sites.c.revision.label("current")
).join_from(revisions, sites)


class SqlRevisionSweeping:
    """RevisionSweeping over a database that `upgrade` has brought up to date."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    async def kept(self, *, after: tuple[EntityRef, str] | None, limit: int) -> Sequence[KeptRevision]:
        """Return revisions in the order of their entities and ids."""
        return await self._database.read(_kept, after, limit)

    async def purge(
        self, revisions: Collection[tuple[EntityRef, str]], *, deleted_until: datetime, now: datetime
    ) -> int:
        """Forget those of the revisions that nobody can need any more."""
        return await self._database.write(_purge, revisions, deleted_until, now)


def add_revision(connection: Connection, revision: Revision) -> Revision:
    """Insert a revision, or what was deleted of it anew; return the one that is there."""
    site = locked_site(connection, revision.entity)
    is_it = and_(revisions.c.site_id == site["id"], revisions.c.revision == revision.revision)
    row = revision_row(site["id"], revision)
    if not insert_if_absent(connection, revisions, row):
        connection.execute(update(revisions).where(is_it, revisions.c.delete_time.is_not(None)).values(row))
    return revision_of(connection.execute(REVISION_ROWS.where(is_it)).mappings().one())


def delete_all(connection: Connection, site_id: int, now: datetime) -> None:
    """Delete the revisions of a site that is locked."""
    connection.execute(
        update(revisions)
        .where(revisions.c.site_id == site_id, revisions.c.delete_time.is_(None))
        .values(delete_time=now, is_pinned=False)
    )


def delete_revision(connection: Connection, entity: EntityRef, revision: str, now: datetime, cause: Cause) -> None:
    """Delete one revision. See `SiteRecords.delete_revision`."""
    site, found = _visible(connection, entity, revision)
    if site["revision"] == revision:
        raise RevisionIsCurrent(str(entity), revision)
    if found.is_pinned:
        raise RevisionPinned(str(entity), revision)
    connection.execute(_changed(site, revision).values(delete_time=now))
    _unsave(connection, site)
    note_change(connection, entity, cause, revision=revision, previous_revision="", version=site["version"], now=now)


def pin_revision(
    connection: Connection,
    entity: EntityRef,
    revision: str,
    pinned: bool,  # noqa: FBT001 - work of a database takes its arguments by position
    now: datetime,
    cause: Cause,
) -> Revision:
    """Pin one revision or end that. See `SiteRecords.pin_revision`."""
    site, found = _visible(connection, entity, revision)
    if found.is_pinned == pinned:
        return found
    connection.execute(_changed(site, revision).values(is_pinned=pinned))
    _unsave(connection, site)
    note_change(connection, entity, cause, revision=revision, previous_revision="", version=site["version"], now=now)
    return _visible(connection, entity, revision)[1]


def _visible(connection: Connection, entity: EntityRef, revision: str) -> tuple[RowMapping, Revision]:
    """Return the row of a site, locked, and a revision of it that readers see."""
    site = locked_site(connection, entity)
    statement = REVISION_ROWS.where(revisions.c.site_id == site["id"], revisions.c.revision == revision, IS_VISIBLE)
    row = connection.execute(statement).mappings().first()
    if row is None:
        raise RevisionNotFound(str(entity), revision)
    return site, revision_of(row)


def _changed(site: RowMapping, revision: str) -> Update:
    return update(revisions).where(revisions.c.site_id == site["id"], revisions.c.revision == revision)


def _unsave(connection: Connection, site: RowMapping) -> None:
    connection.execute(update(sites).where(sites.c.id == site["id"]).values(saved_version=UNSAVED))


def _kept(connection: Connection, after: tuple[EntityRef, str] | None, limit: int) -> list[KeptRevision]:
    statement = _KEPT_ROWS
    if after is not None:
        entity, revision = after
        statement = statement.where(or_(comes_after(entity), and_(is_entity(entity), revisions.c.revision > revision)))
    statement = statement.order_by(sites.c.namespace, sites.c.kind, sites.c.name, revisions.c.revision).limit(limit)
    return [
        KeptRevision(revision_of(row), row["current"] == row["revision"], row["is_published"], row["delete_time"])
        for row in connection.execute(statement).mappings()
    ]


def _purge(
    connection: Connection, keys: Collection[tuple[EntityRef, str]], deleted_until: datetime, now: datetime
) -> int:
    # Before it looks at leases: nobody takes one between the look and the deletion.
    enter_as_collector(connection)
    is_leased = select(blob_leases.c.sha256).where(
        blob_leases.c.sha256 == revisions.c.revision, blob_leases.c.until > now
    )
    is_over = or_(
        revisions.c.delete_time <= deleted_until,
        and_(revisions.c.delete_time.is_(None), ~revisions.c.is_published, ~is_leased.exists()),
    )
    purged = 0
    for entity, revision in keys:
        site = select(sites.c.id).where(is_entity(entity)).scalar_subquery()
        statement = delete(revisions).where(revisions.c.site_id == site, revisions.c.revision == revision, is_over)
        purged += connection.execute(statement).rowcount
    return purged
