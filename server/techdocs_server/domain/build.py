"""Builds, their states and their events.

A build is created QUEUED, moves on through the phases, and ends once:

    ============  =====================================================
    from          to
    ============  =====================================================
    QUEUED        PREPARING, FAILED, CANCELLED
    PREPARING     GENERATING, SUCCEEDED (unchanged), FAILED, CANCELLED
    GENERATING    PUBLISHING, FAILED, CANCELLED
    PUBLISHING    SUCCEEDED, FAILED, CANCELLED
    final states  nothing
    ============  =====================================================

A build whose worker was lost goes back to QUEUED with its next attempt, see
`Build.retried`. Whatever an earlier attempt still does then has no effect.

Every change of state is an event; a final state's event is the build's last.
"""

from __future__ import annotations

import enum
import uuid
from dataclasses import dataclass, replace
from datetime import datetime

from techdocs_server.domain.entity import EntityRef


class BuildState(enum.StrEnum):
    """Where a build stands."""

    QUEUED = "queued"
    """Waiting for its turn."""
    PREPARING = "preparing"
    """Copying the source."""
    GENERATING = "generating"
    """Running MkDocs."""
    PUBLISHING = "publishing"
    """Storing the files and moving the pointer."""
    SUCCEEDED = "succeeded"
    """The site is current."""
    FAILED = "failed"
    """Ended with an error."""
    CANCELLED = "cancelled"
    """Stopped on request."""

    @property
    def is_final(self) -> bool:
        """Whether nothing follows."""
        return self in FINAL_STATES

    def may_become(self, other: BuildState) -> bool:
        """Whether the table at the top of this module has this move."""
        return other in _MOVES[self]


FINAL_STATES = frozenset({BuildState.SUCCEEDED, BuildState.FAILED, BuildState.CANCELLED})
ACTIVE_STATES = frozenset(BuildState) - FINAL_STATES
_ENDS_BADLY = frozenset({BuildState.FAILED, BuildState.CANCELLED})
_MOVES: dict[BuildState, frozenset[BuildState]] = {
    BuildState.QUEUED: _ENDS_BADLY | {BuildState.PREPARING},
    BuildState.PREPARING: _ENDS_BADLY | {BuildState.GENERATING, BuildState.SUCCEEDED},
    BuildState.GENERATING: _ENDS_BADLY | {BuildState.PUBLISHING},
    BuildState.PUBLISHING: _ENDS_BADLY | {BuildState.SUCCEEDED},
    BuildState.SUCCEEDED: frozenset(),
    BuildState.FAILED: frozenset(),
    BuildState.CANCELLED: frozenset(),
}


class BuildTrigger(enum.StrEnum):
    """Who asked for a build."""

    REQUEST = "request"
    """Somebody who waits for it, or may."""
    REFRESH = "refresh"
    """The schedule. Such builds let those of readers go first."""


class Severity(enum.StrEnum):
    """Severity of a line of build log."""

    DEBUG = "debug"
    """Detail."""
    INFO = "info"
    """Normal progress."""
    WARNING = "warning"
    """Worth a look."""
    ERROR = "error"
    """The cause of a failure."""


@dataclass(frozen=True, slots=True)
class BuildProblem:
    """Why a build failed: the phase it was in, a reason of the error tree, a sentence.

    ``cause`` is the `BuildFailureReason` of a failed step, or empty; ``file`` and
    ``line`` say where in the source, ``hint`` what to write instead, if known.
    """

    phase: BuildState
    reason: str
    message: str
    cause: str = ""
    file: str = ""
    line: int = 0
    hint: str = ""

    @property
    def advice(self) -> str:
        """The message, and what to do about it where that is known."""
        return f"{self.message}; {self.hint}" if self.hint else self.message


@dataclass(frozen=True, slots=True)
class BuildWarning:
    """Something an author should mend although the site was built.

    ``file`` is relative to the source, empty for none; ``line`` counts from 1, 0 for none.
    """

    message: str
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class BuildProgress:
    """How far a build is: pages that are done, those of them that were reused, and all."""

    done: int
    reused: int
    total: int


@dataclass(frozen=True, slots=True)
class PhaseTime:
    """How long a build was in a state that it left, in seconds."""

    phase: BuildState
    seconds: float


@dataclass(frozen=True, slots=True)
class BuildFence:
    """One attempt of a build, which loses its rights when the next one begins."""

    build_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Build:
    """One attempt to make a site current. ``id`` is the part after ``builds/``.

    ``owner`` is the entity's, among whom the queue shares its slots. ``source_etag``
    is known from the end of PREPARING on, ``isolation``, ``warnings`` and ``pages`` from
    the end of GENERATING. ``full_build_reason`` says why no page was reused, empty when
    pages could be. ``phases`` are those the build has left; ``phase_time`` is when the present one began.
    ``attempt`` counts from 1; ``worker`` is who runs it, empty until somebody does.
    """

    id: str
    entity: EntityRef
    state: BuildState
    create_time: datetime
    force: bool = False
    request_id: str | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    revision: str = ""
    source_etag: str = ""
    updated: bool = False
    problem: BuildProblem | None = None
    last_sequence: int = 0
    trigger: BuildTrigger = BuildTrigger.REQUEST
    owner: str = ""
    isolation: str = ""
    warnings: tuple[BuildWarning, ...] = ()
    pages: BuildProgress | None = None
    full_build_reason: str = ""
    phases: tuple[PhaseTime, ...] = ()
    phase_time: datetime | None = None
    attempt: int = 1
    worker: str = ""

    @property
    def fence(self) -> BuildFence:
        """What lets this attempt publish, as long as no later one was begun."""
        return BuildFence(self.id, self.attempt)

    @property
    def name(self) -> str:
        """Resource name."""
        return f"builds/{self.id}"

    @classmethod
    def queued(
        cls,
        entity: EntityRef,
        *,
        now: datetime,
        force: bool = False,
        request_id: str | None = None,
        trigger: BuildTrigger = BuildTrigger.REQUEST,
        owner: str = "",
    ) -> Build:
        """Return a new build with a fresh id and no events yet."""
        return cls(
            id=uuid.uuid4().hex,
            entity=entity,
            state=BuildState.QUEUED,
            create_time=now,
            force=force,
            request_id=request_id,
            trigger=trigger,
            owner=owner,
            phase_time=now,
        )

    def moved(self, state: BuildState, *, now: datetime) -> Build:
        """Return this build in another state, with its start or end time set.

        Raises `ValueError` for a move that the table does not have.
        """
        if not self.state.may_become(state):
            raise ValueError(f"a build cannot go from {self.state} to {state}")
        started = now if self.state is BuildState.QUEUED and not state.is_final else self.start_time
        return replace(
            self,
            state=state,
            start_time=started,
            end_time=now if state.is_final else None,
            phases=(*self.phases, PhaseTime(self.state, max(0.0, (now - (self.phase_time or now)).total_seconds()))),
            phase_time=None if state.is_final else now,
        )

    def retried(self, *, now: datetime) -> Build:
        """Return this build queued again, as its next attempt. Raises `ValueError` for one that does not run."""
        if self.state.is_final or self.state is BuildState.QUEUED:
            raise ValueError(f"a build that is {self.state} has nothing to try again")
        return replace(
            self,
            state=BuildState.QUEUED,
            attempt=self.attempt + 1,
            worker="",
            start_time=None,
            warnings=(),
            pages=None,
            phases=(),
            phase_time=now,
        )


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of build log: no control characters, at most `MAX_LINE_BYTES`."""

    severity: Severity
    text: str


MAX_LINE_BYTES = 8 * 1024
Happening = LogLine | BuildProgress | Build


@dataclass(frozen=True, slots=True)
class BuildEvent:
    """One thing that happened. ``sequence`` counts from 1 without gaps.

    ``happening`` is a line of log, how far the pages are, or the build after a change of state.
    """

    sequence: int
    event_time: datetime
    happening: Happening

    @property
    def is_last(self) -> bool:
        """Whether the build ended with this event."""
        return isinstance(self.happening, Build) and self.happening.state.is_final
