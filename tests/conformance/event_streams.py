"""Server-sent events, read strictly (HTML standard, section 9.2)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

ENDS = frozenset({"finish", "error"})


@dataclass(frozen=True, slots=True)
class Event:
    """One event; ``id`` is empty when it has none. ``data`` is what its JSON says."""

    id: str
    name: str
    data: Any


def parse(text: str) -> Sequence[Event]:
    """Return the events of a whole stream. Raises `AssertionError` for anything but its documented form."""
    assert text.endswith("\n\n"), "the last event is cut off"
    first, *blocks = text.removesuffix("\n\n").split("\n\n")
    if first == "retry: 2000":
        return [_event(block) for block in blocks if not block.startswith(":")]
    return [_event(block) for block in (first, *blocks)]


def _event(block: str) -> Event:
    fields: dict[str, str] = {}
    for line in block.split("\n"):
        name, colon, value = line.partition(": ")
        assert colon, f"not a field: {line!r}"
        assert name in ("id", "event", "data")
        assert name not in fields, f"{name} stands twice in {block!r}"
        fields[name] = value
    return Event(fields.get("id", ""), fields["event"], json.loads(fields["data"]))


async def read(client: httpx.AsyncClient, path: str, **headers: str) -> Sequence[Event]:
    """Return the events of a stream that begins with 200, when it has ended."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await client.get(path, headers={"accept": "text/event-stream", **named})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/event-stream"
    events = parse(answer.text)
    assert [event.name in ENDS for event in events] == [False] * (len(events) - 1) + [True], "one end, at the end"
    return events


async def blocks_of(answer: httpx.Response) -> AsyncIterator[str]:
    """Yield the blocks of a stream as they come, each without the empty line after it."""
    held = ""
    async for text in answer.aiter_text():
        *whole, held = (held + text).split("\n\n")
        for block in whole:
            yield block
    assert not held, "the last event is cut off"


async def until_waiting(answer: httpx.Response) -> Sequence[Event]:
    """Return the events of a stream up to the first line that says that pages are being generated."""
    seen: list[Event] = []
    async for block in blocks_of(answer):
        if block.startswith("id: "):
            seen.append(_event(block))
            if "generating" in str(seen[-1].data):
                return seen
    raise AssertionError("the stream ended before pages were generated")
