"""The wire form of events."""

from __future__ import annotations

import json

import pytest
from techdocs_bridge.server_sent_events import HEARTBEAT, EventId, error_frame, finish_frame, log_frame


def test_log_frame_has_id_event_and_one_line_of_json() -> None:
    assert log_frame("Hello", EventId("builds/a-1", 7)) == b'id: builds/a-1:7\nevent: log\ndata: "Hello"\n\n'


@pytest.mark.parametrize("text", ['a\nb\r\n\n"c"\\', "\x1b[32minfo\x1b[39m", "\u2028 ü 😀", ""])
def test_any_text_stays_one_line_of_data(text: str) -> None:
    lines = log_frame(text, EventId("builds/a", 1)).decode().split("\n")
    assert lines[3:] == ["", ""]
    assert json.loads(lines[2].removeprefix("data: ")) == text


def test_ends_have_no_id() -> None:
    assert finish_frame(updated=True) == b'event: finish\ndata: {"updated":true}\n\n'
    assert finish_frame(updated=False) == b'event: finish\ndata: {"updated":false}\n\n'
    assert error_frame("no") == b'event: error\ndata: "no"\n\n'


def test_heartbeat_is_a_comment() -> None:
    assert HEARTBEAT == b": \n\n"


def test_id_survives_the_way_to_the_client_and_back() -> None:
    assert EventId.parse(str(EventId("builds/0a-b", 12))) == EventId("builds/0a-b", 12)


@pytest.mark.parametrize(
    "text",
    [None, "", "builds/a", "builds/a:", "builds/a:-1", "builds/A:1", "a:1", "builds/a:1x", "builds/a:" + "9" * 19],
)
def test_id_of_somebody_else_is_none(text: str | None) -> None:
    assert EventId.parse(text) is None
