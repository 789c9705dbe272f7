"""The rules of appending events, which hold wherever builds are kept."""

from __future__ import annotations

from collections.abc import Sequence

from techdocs_server.domain.build import BuildEvent, BuildState


def check_order(events: Sequence[BuildEvent], *, last_sequence: int, state: BuildState) -> None:
    """Raise `ValueError` unless events may follow the last one stored of a build in this state."""
    if state.is_final:
        raise ValueError(f"nothing follows the end of a build, and this one is {state}")
    for expected, event in enumerate(events, start=last_sequence + 1):
        if event.sequence != expected:
            raise ValueError(f"event {event.sequence} cannot follow event {expected - 1}")
