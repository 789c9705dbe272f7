"""Watching over builds whose worker was lost."""

from __future__ import annotations

import asyncio
import logging
import random

from techdocs_server.domain.build import ACTIVE_STATES, Build, BuildProblem, BuildState, Severity
from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.ports.clock import Clock
from techdocs_server.ports.queue import JobState, SharedBuildQueue
from techdocs_server.ports.records import BuildRecords, BuildSuperseded
from techdocs_server.services.build_events import BuildEvents
from techdocs_server.services.build_journal import BuildJournal

_log = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
_PAUSE_SECONDS = 5.0
_MOST_BUILDS = 10_000
_LOST = "The worker that ran this build no longer answers; the build begins anew"
_GIVEN_UP = f"its worker was lost {MAX_ATTEMPTS} times; look into the workers' logs, then sync again"


class Reaper:
    """Begins the builds of lost workers anew, at most `MAX_ATTEMPTS` times in all, then ends them as failed.

    Every process may have one: whoever comes second finds that it was done.
    """

    def __init__(self, *, records: BuildRecords, queue: SharedBuildQueue, events: BuildEvents, clock: Clock) -> None:
        self._records = records
        self._queue = queue
        self._events = events
        self._clock = clock
        self._without_job: set[tuple[str, int]] = set()

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            # Not all at the same moment.
            await asyncio.sleep(_PAUSE_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 - spreads load, guards nothing
            try:
                await self.look()
            except StorageUnavailable as error:
                _log.warning("reaping_failed", extra={"problem": error.message})

    async def look(self) -> None:
        """Take up every build that nobody runs and nobody will run. Raises `StorageUnavailable`."""
        # First the builds: one that is queued between the questions has its job then.
        builds = await self._records.builds(entity=None, states=ACTIVE_STATES, after=None, limit=_MOST_BUILDS)
        jobs = await self._queue.jobs()
        without_job = {(build.id, build.attempt) for build in builds if build.id not in jobs}
        # A build is without a job for a moment before it is submitted and while it changes hands.
        orphans = without_job & self._without_job
        self._without_job = without_job
        for build in builds:
            if jobs.get(build.id) is JobState.LOST or (build.id, build.attempt) in orphans:
                await self._take_up(build)
        active = {build.id for build in builds}
        for build_id, state in jobs.items():
            if state is JobState.LOST and build_id not in active:
                await self._queue.forget(build_id)

    async def _take_up(self, build: Build) -> None:
        try:
            if build.state is BuildState.QUEUED:
                return await self._queue.requeue(build)
            journal = BuildJournal(build, records=self._records, events=self._events, clock=self._clock)
            if build.attempt >= MAX_ATTEMPTS:
                return await self._give_up(journal)
            journal.say(_LOST, Severity.WARNING)
            await journal.give_back()
        except (BuildSuperseded, ValueError):
            return None  # somebody else has done so
        _log.warning("worker_lost", extra={"build": build.name, "worker": build.worker, "attempt": build.attempt})
        return await self._queue.requeue(journal.build)

    async def _give_up(self, journal: BuildJournal) -> None:
        build = journal.build
        _log.error("worker_lost", extra={"build": build.name, "worker": build.worker, "attempt": build.attempt})
        journal.say(_GIVEN_UP, Severity.ERROR)
        await journal.move(BuildState.FAILED, problem=BuildProblem(build.state, "BUILD_FAILED", _GIVEN_UP))
        await self._queue.forget(build.id)
