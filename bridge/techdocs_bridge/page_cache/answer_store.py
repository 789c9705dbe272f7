"""Whole answers in memory, within a bound of bytes.

**Invariants.** What is counted never exceeds the bound once `put` returns. A body that several answers share is kept
and counted once. Answers of a site are dropped together, at once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from techdocs_bridge.page_cache.access_decisions import Part

Key: TypeAlias = tuple[bytes | bool | None, ...]
"""All of a request that an answer depends on."""

ENTRY_BYTES = 1536
"""What an answer takes beside its body: a key and some fifteen headers, each an object of about 60 bytes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it was given, without what was that one request's own. ``etag`` has its quotes."""

    site: str
    part: Part
    status: int
    headers: Sequence[tuple[bytes, bytes]]
    etag: str
    body: bytes
    route: str = ""

    @property
    def extra_bytes(self) -> int:
        """What it takes beside its body."""
        return ENTRY_BYTES + sum(len(name) + len(value) for name, value in self.headers)


class _Body:
    """Bytes that answers share."""

    __slots__ = ("content", "users")

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.users = 0


class AnswerStore:
    """The answers, the least recently used ones dropped first."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._answers: OrderedDict[Key, Answer] = OrderedDict()
        self._keys: dict[str, set[Key]] = {}
        self._bodies: dict[tuple[str, str], _Body] = {}
        self.held_bytes = 0

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: Key) -> Answer | None:
        """Return an answer that is now the most recently used one."""
        answer = self._answers.get(key)
        if answer is not None:
            self._answers.move_to_end(key)
        return answer

    def put(self, key: Key, answer: Answer) -> None:
        """Keep an answer, unless it is larger than the whole bound."""
        self._remove(key)
        answer = self._sharing_body(answer)
        self._answers[key] = answer
        self._keys.setdefault(answer.site, set()).add(key)
        self.held_bytes += answer.extra_bytes + _key_bytes(key)
        while self.held_bytes > self._max_bytes:
            self._remove(next(iter(self._answers)))

    def drop(self, site: str) -> None:
        """Drop all answers of a site."""
        for key in self._keys.pop(site, ()):
            self._remove(key)

    def clear(self) -> None:
        """Drop everything."""
        self._answers.clear()
        self._keys.clear()
        self._bodies.clear()
        self.held_bytes = 0

    def _sharing_body(self, answer: Answer) -> Answer:
        if not answer.body:
            return answer
        body = self._bodies.setdefault((answer.site, answer.etag), _Body(answer.body))
        if body.content != answer.body:
            raise ValueError(f"two contents of {answer.site} have the entity tag {answer.etag}")
        self.held_bytes += 0 if body.users else len(body.content)
        body.users += 1
        return replace(answer, body=body.content)

    def _remove(self, key: Key) -> None:
        answer = self._answers.pop(key, None)
        if answer is None:
            return
        self.held_bytes -= answer.extra_bytes + _key_bytes(key)
        keys = self._keys.get(answer.site)
        if keys is not None:
            keys.discard(key)
            if not keys:
                del self._keys[answer.site]
        if answer.body:
            self._release(answer)

    def _release(self, answer: Answer) -> None:
        body = self._bodies[answer.site, answer.etag]
        body.users -= 1
        if not body.users:
            del self._bodies[answer.site, answer.etag]
            self.held_bytes -= len(body.content)


def _key_bytes(key: Key) -> int:
    return sum(len(part) for part in key if isinstance(part, bytes))
