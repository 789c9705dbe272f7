"""What a process that wrote the file of a page has to tell of it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from techdocs_server.sandbox.rendering.records import Message


@dataclass(frozen=True, slots=True)
class Written:
    """A page whose file is written.

    ``messages`` were logged meanwhile. ``sizes`` are those of the file, 0 when it has
    none, and of the page's own content. ``entries`` are its part of the search index.
    """

    messages: tuple[Message, ...]
    sizes: tuple[int, int]
    entries: bytes

    def to_bytes(self) -> bytes:
        """Return it as a child sends it: two lines, as the entries are JSON already."""
        return json.dumps([self.messages, self.sizes]).encode() + b"\n" + self.entries

    @classmethod
    def from_bytes(cls, content: bytes) -> Written:
        """Return what `to_bytes` was called on."""
        told, _, entries = content.partition(b"\n")
        messages, (size, body) = json.loads(told)
        return cls(tuple((name, level, text) for name, level, text in messages), (size, body), entries)
