"""The rules of appending events, which hold wherever builds are kept."""

from __future__ import annotations

from collections.abc import Sequence

from techdocs_server.domain.build import Build, BuildEvent, BuildState
from techdocs_server.ports.records import BuildSuperseded


def check_order(events: Sequence[BuildEvent], *, last_sequence: int, state: BuildState) -> None:
    """Raise `ValueError` unless events may follow the last one stored of a build in this state."""
    if state.is_final:
        raise ValueError(f"nothing follows the end of a build, and this one is {state}")
    for expected, event in enumerate(events, start=last_sequence + 1):
        if event.sequence != expected:
            raise ValueError(f"event {event.sequence} cannot follow event {expected - 1}")


def check_attempt(build: Build, *, stored_attempt: int) -> None:
    """Raise `BuildSuperseded` unless the build is of the attempt that is stored, or begins the next one."""
    begins = build.state is BuildState.QUEUED and build.attempt == stored_attempt + 1
    if build.attempt != stored_attempt and not begins:
        raise BuildSuperseded(build.id)
