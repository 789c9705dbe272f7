"""What happened to a build, as the JSON that the events table keeps.

Stored objects are read by every later version of this service: keys may be
added, if reading does without them, and never change their meaning.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NotRequired, TypedDict

from techdocs_server.domain.build import (
    Build,
    BuildProblem,
    BuildProgress,
    BuildState,
    BuildTrigger,
    BuildWarning,
    Happening,
    LogLine,
    PhaseTime,
    Severity,
)
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


class ProgressJSON(TypedDict):
    """How far the pages are."""

    done: int
    reused: int
    total: int


class PhaseJSON(TypedDict):
    """How long a build was in a state."""

    phase: str
    seconds: float


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
    pages: ProgressJSON | None
    full_build_reason: str
    phases: list[PhaseJSON]
    phase_time: str | None
    attempt: NotRequired[int]
    worker: NotRequired[str]


BUILD_TIMES = ("create_time", "start_time", "end_time", "phase_time")


class HappeningJSON(TypedDict, total=False):
    """Has one of the three."""

    log: LogLineJSON
    progress: ProgressJSON
    build: BuildJSON


def happening_to_json(happening: Happening) -> HappeningJSON:
    """Return an object that `happening_from_json` reads."""
    if isinstance(happening, LogLine):
        return {"log": {"severity": happening.severity.value, "text": happening.text}}
    if isinstance(happening, BuildProgress):
        return {"progress": _progress_to_json(happening)}
    return {"build": build_to_json(happening)}


def happening_from_json(document: HappeningJSON) -> Happening:
    """Return what `happening_to_json` was given."""
    if "log" in document:
        return LogLine(Severity(document["log"]["severity"]), document["log"]["text"])
    if "progress" in document:
        return _progress_from_json(document["progress"])
    return build_from_json(document["build"])


def build_to_json(build: Build) -> BuildJSON:
    """Return an object that `build_from_json` reads."""
    return {
        "id": build.id,
        "entity": [build.entity.namespace, build.entity.kind, build.entity.name],
        "state": build.state.value,
        "create_time": build.create_time.astimezone(UTC).isoformat(),
        "force": build.force,
        "request_id": build.request_id,
        "start_time": time_to_json(build.start_time),
        "end_time": time_to_json(build.end_time),
        "revision": build.revision,
        "source_etag": build.source_etag,
        "updated": build.updated,
        "problem": None if build.problem is None else _problem_to_json(build.problem),
        "last_sequence": build.last_sequence,
        "trigger": build.trigger.value,
        "owner": build.owner,
        "isolation": build.isolation,
        "warnings": [_warning_to_json(warning) for warning in build.warnings],
        "pages": None if build.pages is None else _progress_to_json(build.pages),
        "full_build_reason": build.full_build_reason,
        "phases": [_phase_to_json(phase) for phase in build.phases],
        "phase_time": time_to_json(build.phase_time),
        "attempt": build.attempt,
        "worker": build.worker,
    }


def _problem_to_json(problem: BuildProblem) -> ProblemJSON:
    return {
        "phase": problem.phase.value,
        "reason": problem.reason,
        "message": problem.message,
        "cause": problem.cause,
        "file": problem.file,
        "line": problem.line,
        "hint": problem.hint,
    }


def _problem_from_json(document: ProblemJSON) -> BuildProblem:
    return BuildProblem(
        phase=BuildState(document["phase"]),
        reason=document["reason"],
        message=document["message"],
        cause=document["cause"],
        file=document["file"],
        line=document["line"],
        hint=document["hint"],
    )


def _warning_to_json(warning: BuildWarning) -> WarningJSON:
    return {"message": warning.message, "file": warning.file, "line": warning.line}


def _warning_from_json(document: WarningJSON) -> BuildWarning:
    return BuildWarning(document["message"], document["file"], document["line"])


def _progress_to_json(progress: BuildProgress) -> ProgressJSON:
    return {"done": progress.done, "reused": progress.reused, "total": progress.total}


def _progress_from_json(document: ProgressJSON) -> BuildProgress:
    return BuildProgress(document["done"], document["reused"], document["total"])


def _phase_to_json(phase: PhaseTime) -> PhaseJSON:
    return {"phase": phase.phase.value, "seconds": phase.seconds}


def _phase_from_json(document: PhaseJSON) -> PhaseTime:
    return PhaseTime(BuildState(document["phase"]), document["seconds"])


def build_from_json(document: BuildJSON) -> Build:
    """Return what `build_to_json` was given."""
    problem, pages = document["problem"], document["pages"]
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
        problem=None if problem is None else _problem_from_json(problem),
        last_sequence=document["last_sequence"],
        trigger=BuildTrigger(document["trigger"]),
        owner=document["owner"],
        isolation=document["isolation"],
        warnings=tuple(_warning_from_json(warning) for warning in document["warnings"]),
        pages=None if pages is None else _progress_from_json(pages),
        full_build_reason=document["full_build_reason"],
        phases=tuple(_phase_from_json(phase) for phase in document["phases"]),
        phase_time=_time_from_json(document["phase_time"]),
        # Of events that an earlier version stored.
        attempt=document.get("attempt", 1),
        worker=document.get("worker", ""),
    )


def time_to_json(moment: datetime | None) -> str | None:
    """Return a time as in ISO 8601, in UTC."""
    return None if moment is None else moment.astimezone(UTC).isoformat()


def _time_from_json(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
