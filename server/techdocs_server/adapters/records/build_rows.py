"""Rows of builds and events, and the values they hold."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, RowMapping, and_, or_

from techdocs_server.adapters.records.build_json import (
    happening_from_json,
    happening_to_json,
    problem_from_json,
    problem_to_json,
    warning_from_json,
    warning_to_json,
)
from techdocs_server.adapters.records.schema import builds
from techdocs_server.domain.build import Build, BuildEvent, BuildState, BuildTrigger
from techdocs_server.domain.entity import EntityRef


def is_of(entity: EntityRef) -> ColumnElement[bool]:
    """Return the condition that a build is the entity's."""
    return and_(builds.c.namespace == entity.namespace, builds.c.kind == entity.kind, builds.c.name == entity.name)


def is_older(than: tuple[datetime, str]) -> ColumnElement[bool]:
    """Return the condition that a build follows one of this time and id in listings."""
    create_time, build_id = than
    return or_(builds.c.create_time < create_time, and_(builds.c.create_time == create_time, builds.c.id < build_id))


def build_row(build: Build) -> dict[str, object]:
    """Return the row of a build."""
    return {
        "id": build.id,
        "namespace": build.entity.namespace,
        "kind": build.entity.kind,
        "name": build.entity.name,
        "state": build.state.value,
        "create_time": build.create_time,
        "force": build.force,
        "request_id": build.request_id,
        "start_time": build.start_time,
        "end_time": build.end_time,
        "revision": build.revision,
        "source_etag": build.source_etag,
        "updated": build.updated,
        "problem": None if build.problem is None else problem_to_json(build.problem),
        "last_sequence": build.last_sequence,
        "trigger": build.trigger.value,
        "owner": build.owner,
        "isolation": build.isolation,
        "warnings": [warning_to_json(warning) for warning in build.warnings],
    }


def build_of(row: RowMapping) -> Build:
    """Return the build of a row."""
    return Build(
        id=row["id"],
        entity=EntityRef(row["namespace"], row["kind"], row["name"]),
        state=BuildState(row["state"]),
        create_time=row["create_time"],
        force=row["force"],
        request_id=row["request_id"],
        start_time=row["start_time"],
        end_time=row["end_time"],
        revision=row["revision"],
        source_etag=row["source_etag"],
        updated=row["updated"],
        problem=None if row["problem"] is None else problem_from_json(row["problem"]),
        last_sequence=row["last_sequence"],
        trigger=BuildTrigger(row["trigger"]),
        owner=row["owner"],
        isolation=row["isolation"],
        warnings=tuple(warning_from_json(warning) for warning in row["warnings"]),
    )


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
