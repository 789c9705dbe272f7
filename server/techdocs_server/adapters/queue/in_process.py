"""A queue in the memory of the server process."""

from __future__ import annotations

import asyncio
from functools import partial

from techdocs_server.adapters.queue.waiting_line import WaitingLine
from techdocs_server.domain.build import Build, BuildTrigger
from techdocs_server.domain.errors import BuildQueueFull
from techdocs_server.ports.queue import RunBuild


class InProcessBuildQueue:
    """Runs builds as tasks of this event loop, ``concurrency`` at a time.

    Holds at most ``limit`` waiting builds. What it holds is lost with the process;
    the records are not, and the dispatcher submits from them again at start.
    """

    def __init__(self, *, concurrency: int, limit: int) -> None:
        self._concurrency = concurrency
        self._limit = limit
        self._run: RunBuild | None = None
        self._cancelled: set[str] = set()
        self._waiting = WaitingLine()
        self._running: dict[str, asyncio.Task[None]] = {}

    def start(self, run: RunBuild) -> None:
        """Begin to run builds."""
        self._run = run
        self._fill()

    async def stop(self) -> None:
        """Run nothing further, cancel what runs and wait until it has ended."""
        self._run = None
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def ensure_room(self) -> None:
        """See `BuildQueue`."""
        if len(self._waiting) >= self._limit:
            raise BuildQueueFull(self._limit)

    async def submit(self, build: Build) -> None:
        """See `BuildQueue`."""
        if build.id in self._waiting or build.id in self._running:
            return
        await self.ensure_room()
        self._waiting.add(build)
        self._fill()

    async def promote(self, build_id: str) -> None:
        """See `BuildQueue`."""
        if (build := self._waiting.remove(build_id)) is not None:
            self._waiting.add(build, trigger=BuildTrigger.REQUEST)

    async def cancel(self, build_id: str) -> None:
        """See `BuildQueue`. Returns when the build's task has ended."""
        self._waiting.remove(build_id)
        if (task := self._running.get(build_id)) is not None:
            self._cancelled.add(build_id)
            task.cancel()
            await asyncio.wait([task])

    def _fill(self) -> None:
        while self._run is not None and len(self._running) < self._concurrency:
            if (build := self._waiting.next()) is None:
                return
            task = asyncio.ensure_future(self._run(build.id, partial(self._cancelled.__contains__, build.id)))
            self._running[build.id] = task
            task.add_done_callback(partial(self._ended, build.id))

    def _ended(self, build_id: str, _task: asyncio.Future[None]) -> None:
        del self._running[build_id]
        self._cancelled.discard(build_id)
        self._fill()
