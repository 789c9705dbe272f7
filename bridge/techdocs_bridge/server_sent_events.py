"""The wire form of server-sent events (WHATWG HTML, section 9.2), as Backstage's sync client reads them.

Its data is JSON: a string for ``log`` and ``error``, an object for ``finish``. JSON escapes line ends, so the data is one
line whatever it holds.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

MEDIA_TYPE = "text/event-stream"

RETRY = b"retry: 2000\n\n"
"""Tells a client to come back after 2 s when the connection breaks."""

HEARTBEAT = b": \n\n"
"""A comment: keeps proxies from taking a quiet stream for a dead one."""

# The pattern of StreamSyncRequest.build, and a sequence that fits an int64.
_EVENT_ID = re.compile(r"(?P<build>builds/[a-z0-9-]{1,63}):(?P<sequence>[0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class EventId:
    """The id of an event: a build and the sequence of the event in it. A client hands back the last one it saw."""

    build: str
    sequence: int

    def __str__(self) -> str:
        return f"{self.build}:{self.sequence}"

    @classmethod
    def parse(cls, text: str | None) -> EventId | None:
        """Return the id in a Last-Event-ID header, or None for none, or one that is not ours."""
        match = _EVENT_ID.fullmatch(text) if text else None
        return cls(match["build"], int(match["sequence"])) if match else None


def log_frame(text: str, event_id: EventId) -> bytes:
    """Return a line of log."""
    return _frame("log", text, event_id)


def finish_frame(*, updated: bool) -> bytes:
    """Return the end of a sync that went well."""
    return _frame("finish", {"updated": updated}, None)


def error_frame(message: str) -> bytes:
    """Return the end of a sync that did not."""
    return _frame("error", message, None)


def _frame(event: str, data: str | dict[str, bool], event_id: EventId | None) -> bytes:
    value = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    head = f"id: {event_id}\n" if event_id else ""
    return f"{head}event: {event}\ndata: {value}\n\n".encode("utf-8", "backslashreplace")
