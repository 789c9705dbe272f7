"""Builds and their events as messages."""

from __future__ import annotations

from dataclasses import replace

from techdocs.v1 import builds_pb2
from techdocs_server.domain.build import BuildEvent, BuildProgress, BuildState, PhaseTime
from techdocs_server.rpc.convert import build_message, event_message

from tests.support.clocks import NOON
from tests.support.record_values import entity, queued


def test_build_tells_pages_reasons_and_phases() -> None:
    build = replace(
        queued(entity("demo")),
        pages=BuildProgress(5, 3, 5),
        full_build_reason="the build was forced",
        phases=(PhaseTime(BuildState.QUEUED, 0.25), PhaseTime(BuildState.PREPARING, 61.5)),
    )
    message = build_message(build)
    assert message.pages == builds_pb2.BuildProgress(pages_done=5, pages_reused=3, pages_total=5)
    assert message.full_build_reason == "the build was forced"
    assert [(phase.phase, phase.duration.ToTimedelta().total_seconds()) for phase in message.phases] == [
        (builds_pb2.BUILD_STATE_QUEUED, 0.25),
        (builds_pb2.BUILD_STATE_PREPARING, 61.5),
    ]


def test_build_that_counted_no_pages_has_none() -> None:
    assert not build_message(queued(entity("demo"))).HasField("pages")


def test_progress_is_an_event_of_its_own() -> None:
    message = event_message(BuildEvent(7, NOON, BuildProgress(1, 0, 2)))
    assert message.WhichOneof("event") == "progress"
    assert message.progress == builds_pb2.BuildProgress(pages_done=1, pages_total=2)
