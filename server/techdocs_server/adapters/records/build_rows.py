"""Rows of builds and events, and the values they hold."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from sqlalchemy import ColumnElement, RowMapping, and_, or_

from techdocs_server.adapters.records.build_json import (
    BUILD_TIMES,
    BuildJSON,
    build_from_json,
    build_to_json,
    happening_from_json,
    happening_to_json,
    time_to_json,
)
from techdocs_server.adapters.records.schema import builds
from techdocs_server.domain.build import Build, BuildEvent
from techdocs_server.domain.entity import EntityRef


def is_of(entity: EntityRef) -> ColumnElement[bool]:
    """Return the condition that a build is the entity's."""
    return and_(builds.c.namespace == entity.namespace, builds.c.kind == entity.kind, builds.c.name == entity.name)


def is_older(than: tuple[datetime, str]) -> ColumnElement[bool]:
    """Return the condition that a build follows one of this time and id in listings."""
    create_time, build_id = than
    return or_(builds.c.create_time < create_time, and_(builds.c.create_time == create_time, builds.c.id < build_id))


def build_row(build: Build) -> dict[str, object]:
    """Return the row of a build: its JSON, but for the entity and the times, which are searched and sorted by."""
    document: dict[str, object] = {**build_to_json(build)}
    del document["entity"]
    entity = {"namespace": build.entity.namespace, "kind": build.entity.kind, "name": build.entity.name}
    return {**document, **entity, **{name: getattr(build, name) for name in BUILD_TIMES}}


def build_of(row: RowMapping) -> Build:
    """Return the build of a row."""
    entity = [row["namespace"], row["kind"], row["name"]]
    times = {name: time_to_json(row[name]) for name in BUILD_TIMES}
    return build_from_json(cast(BuildJSON, {**row, "entity": entity, **times}))


def event_row(build_id: str, event: BuildEvent) -> dict[str, object]:
    """Return the row of an event."""
    return {
        "build_id": build_id,
        "sequence": event.sequence,
        "event_time": event.event_time,
        "happening": happening_to_json(event.happening),
    }


def event_of(row: RowMapping) -> BuildEvent:
    """Return the event of a row."""
    return BuildEvent(row["sequence"], row["event_time"], happening_from_json(row["happening"]))
