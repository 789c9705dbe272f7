"""Blocking calls, off the event loop.

Each store owns its own pool, so that a slow one cannot starve another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

from techdocs_server.domain.errors import StorageUnavailable

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


class ThreadPool:
    """A bounded number of threads that run blocking steps.

    Steps beyond the number of threads wait in line. The line has no bound of its
    own: each waiting step is one waiting caller, and callers are bounded at the
    edge of the service.
    """

    def __init__(self, threads: int, *, name: str) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def run(self, step: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
        """Run a step on a thread and return what it returns, or raise what it raises.

        When the caller is cancelled, a step that has not begun never does, and one
        that has begun is waited for: after this call returns or raises, no thread
        still uses the arguments. Steps must therefore be short.

        Raises `StorageUnavailable` after `close`.
        """
        running = self._submit(step, *arguments)
        try:
            return await asyncio.wrap_future(running)
        except asyncio.CancelledError:
            if not running.cancel():
                await _end_of(running)
            raise

    async def run_to_end(self, step: Callable[[*Arguments], None], *arguments: *Arguments) -> None:
        """Run a step that must happen, such as a clean-up, also when the caller is cancelled.

        The cancellation is raised after the step. Raises what the step raises, and
        `StorageUnavailable` after `close`.
        """
        running = self._submit(step, *arguments)
        was_cancelled = await _end_of(running)
        running.result()
        if was_cancelled:
            raise asyncio.CancelledError

    async def close(self) -> None:
        """Let the steps in line end, then end the threads. May be called twice."""
        await asyncio.to_thread(self._executor.shutdown)

    def _submit(self, step: Callable[[*Arguments], T], *arguments: *Arguments) -> Future[T]:
        try:
            return self._executor.submit(step, *arguments)
        except RuntimeError as error:
            raise StorageUnavailable("it was closed") from error


async def _end_of(running: Future[T]) -> bool:
    """Wait until a step has ended, however often the waiter is cancelled; say whether it was."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    running.add_done_callback(lambda _: loop.call_soon_threadsafe(ended.set))
    was_cancelled = False
    while not ended.is_set():
        try:
            await ended.wait()
        except asyncio.CancelledError:
            was_cancelled = True
    return was_cancelled
