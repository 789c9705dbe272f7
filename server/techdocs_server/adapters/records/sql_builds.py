"""Builds and their events in a database."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from techdocs_server.adapters.records.build_rows import (
    build_of,
    build_row,
    event_of,
    event_row,
    is_of,
    is_older,
)
from techdocs_server.adapters.records.engine import SqlDatabase
from techdocs_server.adapters.records.event_order import check_attempt, check_order
from techdocs_server.adapters.records.schema import ACTIVE, builds, events
from techdocs_server.adapters.records.upserts import insert_if_absent
from techdocs_server.domain.build import Build, BuildEvent, BuildFence, BuildState
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.ports.records import BuildSuperseded

_ATTEMPTS = 3


class SqlBuildRecords:
    """BuildRecords over a database that `upgrade` has brought up to date.

    See the port for what each method promises.
    """

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    async def create_build(self, build: Build, *, events: Sequence[BuildEvent] = ()) -> Build:
        """Remember a new build with its first events, or return the one that stands in its way."""
        return await self._database.write(_create_build, build, events)

    async def build(self, build_id: str) -> Build | None:
        """Return one build, or None."""
        return await self._database.read(_build, build_id)

    async def active_build(self, entity: EntityRef) -> Build | None:
        """Return the build of an entity that has not ended, or None."""
        return await self._database.read(_active_build, entity)

    async def builds(
        self,
        *,
        entity: EntityRef | None,
        states: Collection[BuildState],
        after: tuple[datetime, str] | None,
        limit: int,
    ) -> Sequence[Build]:
        """Return builds, newest first."""
        return await self._database.read(_builds, entity, states, after, limit)

    async def append_events(self, build: Build, events: Sequence[BuildEvent]) -> None:
        """Append events and save the build as it is after them.

        ``last_sequence`` becomes that of the last event, whatever the build says.
        Raises `ValueError` also for a build that is unknown or has ended.
        """
        await self._database.write(_append_events, build, events)

    async def events(self, build_id: str, *, after_sequence: int, limit: int) -> Sequence[BuildEvent]:
        """Return events in order, from the one after ``after_sequence``."""
        return await self._database.read(_events, build_id, after_sequence, limit)


def _create_build(connection: Connection, build: Build, first: Sequence[BuildEvent]) -> Build:
    for _ in range(_ATTEMPTS):
        if insert_if_absent(connection, builds, build_row(build)):
            if first:
                connection.execute(insert(events), [event_row(build.id, event) for event in first])
            return build
        found = (
            _of_request(connection, build.request_id)
            or _active_build(connection, build.entity)
            or _build(connection, build.id)
        )
        if found is not None:
            return found
        # The build in the way ended in between; not on SQLite, where writers take turns.
    raise StorageUnavailable("builds of one entity come and go too fast")


def _of_request(connection: Connection, request_id: str | None) -> Build | None:
    if request_id is None:
        return None
    row = connection.execute(select(builds).where(builds.c.request_id == request_id)).mappings().first()
    return None if row is None else build_of(row)


def _active_build(connection: Connection, entity: EntityRef) -> Build | None:
    row = connection.execute(select(builds).where(is_of(entity), ACTIVE)).mappings().first()
    return None if row is None else build_of(row)


def _build(connection: Connection, build_id: str) -> Build | None:
    row = connection.execute(select(builds).where(builds.c.id == build_id)).mappings().first()
    return None if row is None else build_of(row)


def _builds(
    connection: Connection,
    entity: EntityRef | None,
    states: Collection[BuildState],
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[Build]:
    statement = select(builds)
    if entity is not None:
        statement = statement.where(is_of(entity))
    if states:
        statement = statement.where(builds.c.state.in_([state.value for state in states]))
    if after is not None:
        statement = statement.where(is_older(after))
    statement = statement.order_by(builds.c.create_time.desc(), builds.c.id.desc()).limit(limit)
    return [build_of(row) for row in connection.execute(statement).mappings()]


def _append_events(connection: Connection, build: Build, new_events: Sequence[BuildEvent]) -> None:
    stored = connection.execute(
        select(builds.c.last_sequence, builds.c.state, builds.c.attempt)
        .where(builds.c.id == build.id)
        .with_for_update()
    ).first()
    if stored is None:
        raise ValueError(f"there is no build {build.id}")
    check_attempt(build, stored_attempt=stored.attempt)
    check_order(new_events, last_sequence=stored.last_sequence, state=BuildState(stored.state))
    if new_events:
        connection.execute(insert(events), [event_row(build.id, event) for event in new_events])
    saved = replace(build, last_sequence=stored.last_sequence + len(new_events))
    connection.execute(update(builds).where(builds.c.id == build.id).values(build_row(saved)))


def check_fence(connection: Connection, fence: BuildFence) -> None:
    """Raise `BuildSuperseded` unless this attempt of the build runs; hold it so until the transaction ends."""
    statement = select(builds.c.id).where(builds.c.id == fence.build_id, builds.c.attempt == fence.attempt, ACTIVE)
    if connection.execute(statement.with_for_update()).first() is None:
        raise BuildSuperseded(fence.build_id)


def _events(connection: Connection, build_id: str, after_sequence: int, limit: int) -> list[BuildEvent]:
    statement = (
        select(events.c.sequence, events.c.event_time, events.c.happening)
        .where(events.c.build_id == build_id, events.c.sequence > after_sequence)
        .order_by(events.c.sequence)
        .limit(limit)
    )
    return [event_of(row) for row in connection.execute(statement).mappings()]
