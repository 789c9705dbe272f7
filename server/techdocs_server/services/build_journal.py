"""The single writer of one build's state and events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime

from techdocs_server.domain.build import (
    Build,
    BuildEvent,
    BuildProblem,
    BuildProgress,
    BuildState,
    BuildWarning,
    Happening,
    LogLine,
    Severity,
)
from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.ports.clock import Clock
from techdocs_server.ports.records import BuildRecords, BuildSuperseded
from techdocs_server.services.build_events import BuildEvents
from techdocs_server.services.patience import NONE, Patience

_PROGRESS_SECONDS = 0.5


class BuildJournal:
    """Numbers events without gaps and stores them in batches.

    `log` never waits: lines are stored by `keep_storing` in the background, and
    at the latest by the next `move`, which waits for the store. A store that
    fails keeps what it was given for the next attempt. ``patience`` is how long a
    `move` waits for records that do not answer.
    """

    def __init__(
        self,
        build: Build,
        *,
        records: BuildRecords,
        events: BuildEvents,
        clock: Clock,
        patience: Patience = NONE,
    ) -> None:
        self.build = build
        self._patience = patience
        self._records = records
        self._events = events
        self._clock = clock
        self._pending: list[BuildEvent] = []
        self._something_pending = asyncio.Event()
        self._storing = asyncio.Lock()
        self._told: datetime | None = None
        self._told_all = False
        self._is_superseded = False
        self._is_answer_lost = False

    def log(self, line: LogLine) -> None:
        """Add a line of log."""
        self._add(line)

    def say(self, text: str, severity: Severity = Severity.INFO) -> None:
        """Add a line of our own to the log."""
        self._add(LogLine(severity, text))

    def progress(self, progress: BuildProgress) -> None:
        """Note how far the pages are; an event tells about twice a second at most, and once when all are done."""
        self.build = replace(self.build, pages=progress)
        now = self._clock.now()
        is_complete = progress.done == progress.total and not self._told_all
        if is_complete or self._told is None or (now - self._told).total_seconds() >= _PROGRESS_SECONDS:
            self._told = now
            self._told_all |= is_complete
            self._add(progress)

    async def move(self, state: BuildState, *, problem: BuildProblem | None = None) -> None:
        """Change the state and store it with everything before it. Raises `StorageUnavailable`, after some patience."""
        self.build = replace(self.build.moved(state, now=self._clock.now()), problem=problem)
        self._add(self.build)
        await self._patience.until_answered(self.store)

    def learn(
        self,
        *,
        source_etag: str | None = None,
        isolation: str | None = None,
        warnings: tuple[BuildWarning, ...] | None = None,
        pages: BuildProgress | None = None,
        full_build_reason: str | None = None,
        worker: str | None = None,
    ) -> None:
        """Note facts about the build; they are stored with the next event."""
        self.build = replace(
            self.build,
            source_etag=self.build.source_etag if source_etag is None else source_etag,
            isolation=self.build.isolation if isolation is None else isolation,
            warnings=self.build.warnings if warnings is None else warnings,
            pages=self.build.pages if pages is None else pages,
            full_build_reason=self.build.full_build_reason if full_build_reason is None else full_build_reason,
            worker=self.build.worker if worker is None else worker,
        )

    async def succeed(self, *, revision: str, updated: bool) -> None:
        """End the build well."""
        self.build = replace(self.build, revision=revision, updated=updated)
        await self.move(BuildState.SUCCEEDED)

    async def give_back(self) -> None:
        """Queue the build again, as its next attempt. Raises `StorageUnavailable`."""
        self.build = self.build.retried(now=self._clock.now())
        self._add(self.build)
        await self.store()

    @asynccontextmanager
    async def keep_storing(self) -> AsyncIterator[None]:
        """Store lines of log as they come, while the context lasts.

        Raises `BuildSuperseded` in the middle of the context when the build is not this attempt's any more.
        """
        runner = asyncio.current_task()
        assert runner is not None  # noqa: S101 - a coroutine runs in a task
        task = asyncio.create_task(self._store_as_they_come(runner))
        try:
            yield
        except asyncio.CancelledError:
            if self._is_superseded:
                runner.uncancel()
                raise BuildSuperseded(self.build.id) from None
            raise
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _add(self, happening: Happening) -> None:
        sequence = self.build.last_sequence + 1
        self.build = replace(self.build, last_sequence=sequence)
        if isinstance(happening, Build):
            happening = self.build
        self._pending.append(BuildEvent(sequence, self._clock.now(), happening))
        self._something_pending.set()

    async def _store_as_they_come(self, runner: asyncio.Task[object]) -> None:
        while True:
            await self._something_pending.wait()
            try:
                await self.store()
            except StorageUnavailable:
                # The next change of state tries again and reports the failure.
                await asyncio.sleep(1)
            except BuildSuperseded:
                self._is_superseded = True
                runner.cancel()
                return

    async def store(self) -> None:
        """Store everything not stored yet. Raises `StorageUnavailable`, and keeps it for the next call."""
        async with self._storing:
            self._something_pending.clear()
            batch, build = list(self._pending), self.build
            if not batch:
                return
            # A cancelled build must not tear a batch from what is stored: finish, then be cancelled.
            storing = asyncio.ensure_future(self._append(build, batch))
            try:
                await asyncio.shield(storing)
            except asyncio.CancelledError:
                await storing
                self._stored(build, batch)
                raise
            self._stored(build, batch)

    async def _append(self, build: Build, batch: list[BuildEvent]) -> None:
        if self._is_answer_lost:
            batch = batch[await self._stored_already(batch) :]
        if not batch:
            return
        self._is_answer_lost = True
        await self._records.append_events(build, batch)
        self._is_answer_lost = False

    async def _stored_already(self, batch: list[BuildEvent]) -> int:
        """Return how many events of a batch were stored by a call whose answer did not come."""
        first = batch[0].sequence
        stored = await self._records.events(self.build.id, after_sequence=first - 1, limit=len(batch))
        # Another attempt's events may have the same numbers, but not the same times.
        ours = [(event.sequence, event.event_time) for event in batch[: len(stored)]]
        return len(stored) if [(event.sequence, event.event_time) for event in stored] == ours else 0

    def _stored(self, build: Build, batch: list[BuildEvent]) -> None:
        del self._pending[: len(batch)]
        self._events.announce(build, batch)
