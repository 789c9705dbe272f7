"""Long blocking work in threads of its own, which ends when its caller is cancelled."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class StopSignal:
    """Tells work that nobody waits for it any more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_set = False
        self._actions: list[Callable[[], None]] = []

    def is_set(self) -> bool:
        """Whether to stop."""
        return self._is_set

    def set(self) -> None:
        """Ask to stop, and interrupt what blocks."""
        with self._lock:
            self._is_set = True
            actions = list(self._actions)
        for action in actions:
            action()

    @contextmanager
    def interrupting(self, action: Callable[[], None]) -> Iterator[None]:
        """While the context is open, stopping also calls ``action``, once, from another thread; at once if it came before.

        The action must not block or raise.
        """
        with self._lock:
            self._actions.append(action)
            is_late = self._is_set
        if is_late:
            action()
        try:
            yield
        finally:
            with self._lock:
                self._actions.remove(action)


class BlockingWork:
    """A bounded number of threads. Work beyond them waits in line; each waiting piece is one waiting caller."""

    def __init__(self, threads: int, *, name: str) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)

    def close(self) -> None:
        """Wait for what is running and end the threads. Not usable afterwards."""
        self._pool.shutdown()

    async def run(self, work: Callable[[StopSignal], T]) -> T:
        """Run some work and return what it returns, or raise what it raises.

        When the caller is cancelled the work is told to stop, and its end is waited
        for: after this call nothing of it runs.
        """
        stop = StopSignal()
        job = self._pool.submit(work, stop)
        running = asyncio.wrap_future(job)
        cancellation: asyncio.CancelledError | None = None
        while not running.done():
            try:
                await asyncio.wait({running})
            except asyncio.CancelledError as error:
                # A running thread must let go of the caller's folders before they are removed.
                cancellation = error
                job.cancel()
                stop.set()
        if cancellation is not None:
            if not running.cancelled():
                # Asked for, or asyncio reports an error that nobody has seen.
                running.exception()
            raise cancellation
        return running.result()
