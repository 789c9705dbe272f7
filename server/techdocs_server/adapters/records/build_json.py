"""What happened to a build, as the JSON that the events table keeps.

Stored objects are read by every later version of this service: keys may be
added, if reading does without them, and never change their meaning.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypedDict

from techdocs_server.domain.build import Build, BuildProblem, BuildState, BuildTrigger, BuildWarning, LogLine, Severity
from techdocs_server.domain.entity import EntityRef


class LogLineJSON(TypedDict):
    """A line of log."""

    severity: str
    text: str


class ProblemJSON(TypedDict):
    """Why a build failed."""

    phase: str
    reason: str
    message: str
    cause: str
    file: str
    line: int
    hint: str


class WarningJSON(TypedDict):
    """Something an author should mend."""

    message: str
    file: str
    line: int


class BuildJSON(TypedDict):
    """A build as it was; times as in ISO 8601, in UTC."""

    id: str
    entity: list[str]
    state: str
    create_time: str
    force: bool
    request_id: str | None
    start_time: str | None
    end_time: str | None
    revision: str
    source_etag: str
    updated: bool
    problem: ProblemJSON | None
    last_sequence: int
    trigger: str
    owner: str
    isolation: str
    warnings: list[WarningJSON]


class HappeningJSON(TypedDict, total=False):
    """Has one of the two."""

    log: LogLineJSON
    build: BuildJSON


def happening_to_json(happening: LogLine | Build) -> HappeningJSON:
    """Return an object that `happening_from_json` reads."""
    if isinstance(happening, LogLine):
        return {"log": {"severity": happening.severity.value, "text": happening.text}}
    return {"build": _build_to_json(happening)}


def happening_from_json(document: HappeningJSON) -> LogLine | Build:
    """Return what `happening_to_json` was given."""
    if "log" in document:
        return LogLine(Severity(document["log"]["severity"]), document["log"]["text"])
    return _build_from_json(document["build"])


def _build_to_json(build: Build) -> BuildJSON:
    return {
        "id": build.id,
        "entity": [build.entity.namespace, build.entity.kind, build.entity.name],
        "state": build.state.value,
        "create_time": build.create_time.astimezone(UTC).isoformat(),
        "force": build.force,
        "request_id": build.request_id,
        "start_time": _time_to_json(build.start_time),
        "end_time": _time_to_json(build.end_time),
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


def problem_to_json(problem: BuildProblem) -> ProblemJSON:
    """Return an object that `problem_from_json` reads."""
    return {
        "phase": problem.phase.value,
        "reason": problem.reason,
        "message": problem.message,
        "cause": problem.cause,
        "file": problem.file,
        "line": problem.line,
        "hint": problem.hint,
    }


def problem_from_json(document: ProblemJSON) -> BuildProblem:
    """Return what `problem_to_json` was given."""
    return BuildProblem(
        phase=BuildState(document["phase"]),
        reason=document["reason"],
        message=document["message"],
        cause=document["cause"],
        file=document["file"],
        line=document["line"],
        hint=document["hint"],
    )


def warning_to_json(warning: BuildWarning) -> WarningJSON:
    """Return an object that `warning_from_json` reads."""
    return {"message": warning.message, "file": warning.file, "line": warning.line}


def warning_from_json(document: WarningJSON) -> BuildWarning:
    """Return what `warning_to_json` was given."""
    return BuildWarning(document["message"], document["file"], document["line"])


def _build_from_json(document: BuildJSON) -> Build:
    problem = document["problem"]
    return Build(
        id=document["id"],
        entity=EntityRef(*document["entity"]),
        state=BuildState(document["state"]),
        create_time=datetime.fromisoformat(document["create_time"]),
        force=document["force"],
        request_id=document["request_id"],
        start_time=_time_from_json(document["start_time"]),
        end_time=_time_from_json(document["end_time"]),
        revision=document["revision"],
        source_etag=document["source_etag"],
        updated=document["updated"],
        problem=None if problem is None else problem_from_json(problem),
        last_sequence=document["last_sequence"],
        trigger=BuildTrigger(document["trigger"]),
        owner=document["owner"],
        isolation=document["isolation"],
        warnings=tuple(warning_from_json(warning) for warning in document["warnings"]),
    )


def _time_to_json(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()


def _time_from_json(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
