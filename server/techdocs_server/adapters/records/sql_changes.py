"""Changes of sites in a database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, RowMapping, and_, func, insert, select, text

from techdocs_server.adapters.records.engine import SqlDatabase
from techdocs_server.adapters.records.schema import changes
from techdocs_server.domain.change import Cause, SiteAction, SiteChange
from techdocs_server.domain.entity import EntityRef

SITE_CHANNEL = "techdocs_sites"
"""Where PostgreSQL tells of every change: ``namespace/kind/name``."""
_ORDER_LOCK = 7_070_003
"""Any number that nothing else in the database locks."""


class SqlChangeRecords:
    """ChangeRecords over a database that `upgrade` has brought up to date."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    async def newest_change(self) -> int:
        """Return the sequence of the newest change, 0 when there is none."""
        return await self._database.read(_newest_change)

    async def changes_after(self, sequence: int, *, limit: int) -> Sequence[SiteChange]:
        """Return changes in order, from the one after ``sequence``."""
        return await self._database.read(_changes_after, sequence, limit)

    async def changes(self, *, entity: EntityRef | None, before: int | None, limit: int) -> Sequence[SiteChange]:
        """Return changes, newest first."""
        return await self._database.read(_changes, entity, before, limit)


def note_change(
    connection: Connection,
    entity: EntityRef,
    cause: Cause,
    *,
    revision: str,
    previous_revision: str,
    version: int,
    now: datetime,
) -> None:
    """Write down what this transaction does, and tell other servers when it is committed.

    The last statement of a transaction: from here on changes of other sites wait for its end.
    """
    if connection.dialect.name == "postgresql":
        # Numbers are given out before they are committed. Without turns a reader could see 8, ask for those after
        # it, and never see 7. SQLite's one writer takes turns anyway.
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ORDER_LOCK})
    row = {
        "change_time": now,
        "namespace": entity.namespace,
        "kind": entity.kind,
        "name": entity.name,
        "action": cause.action.value,
        "revision": revision,
        "previous_revision": previous_revision,
        "version": version,
        "actor": cause.actor,
        "request_id": cause.request_id,
        "build": cause.build,
    }
    connection.execute(insert(changes).values(row))
    if connection.dialect.name == "postgresql":
        site = f"{entity.namespace}/{entity.kind}/{entity.name}"
        connection.execute(select(func.pg_notify(SITE_CHANNEL, site)))


def _newest_change(connection: Connection) -> int:
    return connection.execute(select(func.max(changes.c.sequence))).scalar() or 0


def _changes_after(connection: Connection, sequence: int, limit: int) -> list[SiteChange]:
    statement = select(changes).where(changes.c.sequence > sequence).order_by(changes.c.sequence).limit(limit)
    return [_change_of(row) for row in connection.execute(statement).mappings()]


def _changes(connection: Connection, entity: EntityRef | None, before: int | None, limit: int) -> list[SiteChange]:
    statement = select(changes).order_by(changes.c.sequence.desc()).limit(limit)
    if entity is not None:
        is_entity = and_(
            changes.c.namespace == entity.namespace, changes.c.kind == entity.kind, changes.c.name == entity.name
        )
        statement = statement.where(is_entity)
    if before is not None:
        statement = statement.where(changes.c.sequence < before)
    return [_change_of(row) for row in connection.execute(statement).mappings()]


def _change_of(row: RowMapping) -> SiteChange:
    return SiteChange(
        sequence=row["sequence"],
        change_time=row["change_time"],
        entity=EntityRef(row["namespace"], row["kind"], row["name"]),
        revision=row["revision"],
        previous_revision=row["previous_revision"],
        version=row["version"],
        cause=Cause(SiteAction(row["action"]), row["actor"], row["request_id"], row["build"]),
    )
