"""Snapshots of sites taken from a database, and sites made from snapshots.

``sites.saved_version`` is the version that the store of contents knows. A change that leaves
the version as it is resets it, so that one comparison finds every site that is behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, exists, func, insert, select, update

from techdocs_server.adapters.records.engine import SqlDatabase
from techdocs_server.adapters.records.schema import changes, revisions, sites
from techdocs_server.adapters.records.site_rows import (
    IS_VISIBLE,
    REVISION_ROWS,
    comes_after,
    entity_of,
    is_entity,
    locked_site,
    pointer_of,
    revision_of,
    revision_row,
)
from techdocs_server.adapters.records.sql_changes import note_change
from techdocs_server.domain.change import Cause, SiteAction
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.site import Revision
from techdocs_server.domain.site_snapshot import MOST_REVISIONS, SiteSnapshot, SnapshotKey

_RECOVERED = Cause(SiteAction.RECOVERED)


class SqlSavedSites:
    """SavedSites and SiteRestoring over a database that `upgrade` has brought up to date."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    async def behind(self, *, after: EntityRef | None, limit: int) -> Sequence[EntityRef]:
        """Return sites that have changed since they were saved."""
        return await self._database.read(_behind, after, limit)

    async def snapshot(self, entity: EntityRef) -> SiteSnapshot | None:
        """Return a site as it is now; whoever would change it waits for these milliseconds."""
        return await self._database.read(_snapshot, entity)

    async def saved(self, snapshot: SiteSnapshot) -> None:
        """Note that the store has a snapshot."""
        await self._database.write(_saved, snapshot)

    async def has_sites(self) -> bool:
        """Say whether there is the row of any site."""
        return await self._database.read(_has_sites)

    async def is_missing(self, entity: EntityRef) -> bool:
        """Say whether a site has no pointer, and nothing was ever written down of it."""
        return await self._database.read(_is_missing, entity)

    async def restore(self, snapshot: SiteSnapshot, *, version: int, now: datetime) -> bool:
        """Make a site as it was, unless it is there."""
        return await self._database.write(_restore, snapshot, version, now)

    async def reserve(self, entity: EntityRef, *, version: int) -> None:
        """Let the next pointer of a site that is missing have a version above the one given."""
        await self._database.write(_reserve, entity, version)


def _behind(connection: Connection, after: EntityRef | None, limit: int) -> list[EntityRef]:
    statement = select(sites.c.namespace, sites.c.kind, sites.c.name).where(sites.c.version > sites.c.saved_version)
    if after is not None:
        statement = statement.where(comes_after(after))
    statement = statement.order_by(sites.c.namespace, sites.c.kind, sites.c.name).limit(limit)
    return [entity_of(row) for row in connection.execute(statement).mappings()]


def _snapshot(connection: Connection, entity: EntityRef) -> SiteSnapshot | None:
    # Every change locks this row first, so what follows is of one moment. SQLite's readers see one moment anyway.
    row = connection.execute(select(sites).where(is_entity(entity)).with_for_update(read=True)).mappings().first()
    if row is None or not row["version"]:
        return None
    pointer = pointer_of(row)
    key = SnapshotKey(row["version"], _newest_change(connection, entity))
    return SiteSnapshot(
        entity=entity,
        key=key,
        pointer=pointer,
        create_time=row["create_time"],
        update_time=row["update_time"],
        revisions=() if pointer is None else _revisions(connection, row),
    )


def _revisions(connection: Connection, site: RowMapping) -> tuple[Revision, ...]:
    """Return the revisions that readers see; where they are too many, those that somebody would miss first."""
    statement = REVISION_ROWS.where(revisions.c.site_id == site["id"], IS_VISIBLE).order_by(
        (revisions.c.revision == site["revision"]).desc(),
        revisions.c.is_pinned.desc(),
        revisions.c.create_time.desc(),
        revisions.c.revision.desc(),
    )
    return tuple(revision_of(row) for row in connection.execute(statement.limit(MOST_REVISIONS)).mappings())


def _newest_change(connection: Connection, entity: EntityRef) -> int:
    statement = select(func.max(changes.c.sequence)).where(
        changes.c.namespace == entity.namespace, changes.c.kind == entity.kind, changes.c.name == entity.name
    )
    return connection.execute(statement).scalar() or 0


def _saved(connection: Connection, snapshot: SiteSnapshot) -> None:
    # The lock first, then a statement of its own: one that waited for the lock would see the changes from before.
    row = connection.execute(select(sites).where(is_entity(snapshot.entity)).with_for_update()).mappings().first()
    if row is None or SnapshotKey(row["version"], _newest_change(connection, snapshot.entity)) != snapshot.key:
        return
    is_newer = sites.c.saved_version < snapshot.key.version
    connection.execute(
        update(sites).where(sites.c.id == row["id"], is_newer).values(saved_version=snapshot.key.version)
    )


def _has_sites(connection: Connection) -> bool:
    return bool(connection.execute(select(exists().select_from(sites))).scalar())


def _is_missing(connection: Connection, entity: EntityRef) -> bool:
    row = connection.execute(select(sites.c.revision).where(is_entity(entity))).first()
    return (row is None or row.revision is None) and not _newest_change(connection, entity)


def _restore(connection: Connection, snapshot: SiteSnapshot, version: int, now: datetime) -> bool:
    site = locked_site(connection, snapshot.entity)
    if not _is_missing(connection, snapshot.entity) or site["version"] >= version:
        return False
    pointer = snapshot.pointer
    for revision in snapshot.revisions:
        _restore_revision(connection, site["id"], revision)
    connection.execute(
        update(sites)
        .where(sites.c.id == site["id"])
        .values(
            revision=None if pointer is None else pointer.revision,
            version=version,
            source_etag="" if pointer is None else pointer.source_etag,
            create_time=snapshot.create_time,
            update_time=snapshot.update_time,
        )
    )
    current = "" if pointer is None else pointer.revision
    note_change(
        connection, snapshot.entity, _RECOVERED, revision=current, previous_revision="", version=version, now=now
    )
    return True


def _restore_revision(connection: Connection, site_id: int, revision: Revision) -> None:
    row: dict[str, Any] = {
        **revision_row(site_id, revision),
        "is_published": True,
        "is_pinned": revision.is_pinned,
    }
    is_it: ColumnElement[bool] = and_(revisions.c.site_id == site_id, revisions.c.revision == revision.revision)
    # One may be there: deleted, or added by a publish that has not moved the pointer yet.
    if connection.execute(update(revisions).where(is_it).values(row)).rowcount == 0:
        connection.execute(insert(revisions).values(row))


def _reserve(connection: Connection, entity: EntityRef, version: int) -> None:
    site = locked_site(connection, entity)
    is_missing = and_(sites.c.id == site["id"], sites.c.revision.is_(None), sites.c.version < version)
    # As if saved: else the next snapshot would say that the site was deleted.
    connection.execute(update(sites).where(is_missing).values(version=version, saved_version=version))
