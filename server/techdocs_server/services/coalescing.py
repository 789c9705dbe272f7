"""Sharing one answer among those who ask the same question at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


class Coalescing(Generic[Key, Answer]):
    """At most one computation runs per key, and at most one waits behind it.

    Whoever asks gets the answer of a computation that began after the question:
    an answer already being computed may have looked before the caller's change.
    An error is shared like an answer. A caller that leaves stops nothing.
    """

    def __init__(self, compute: Callable[[Key], Awaitable[Answer]]) -> None:
        self._compute = compute
        self._running: dict[Key, asyncio.Task[Answer]] = {}
        self._next: dict[Key, asyncio.Task[Answer]] = {}

    async def ask(self, key: Key) -> Answer:
        """Return the answer for a key, or raise what computing it raised."""
        task = self._next.get(key)
        if task is None:
            task = asyncio.create_task(self._after(self._running.get(key), key))
            self._next[key] = task
        return await asyncio.shield(task)

    async def _after(self, previous: asyncio.Task[Answer] | None, key: Key) -> Answer:
        if previous is not None:
            await asyncio.wait([previous])
        task = self._next.pop(key)
        self._running[key] = task
        try:
            return await self._compute(key)
        finally:
            if self._running.get(key) is task:
                del self._running[key]
