"""Running queued builds and writing down how they end, whatever happens."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from techdocs_server.domain.build import ACTIVE_STATES, FINAL_STATES, Build, BuildProblem, BuildState, Severity
from techdocs_server.domain.errors import BuildQueueFull, BuildStepFailed, StorageUnavailable, TechDocsError
from techdocs_server.ports.clock import Clock
from techdocs_server.ports.queue import BuildQueue, WasCancelled
from techdocs_server.ports.records import BuildRecords, BuildSuperseded
from techdocs_server.services.build_events import BuildEvents
from techdocs_server.services.build_journal import BuildJournal
from techdocs_server.services.building import SiteBuilder
from techdocs_server.services.patience import IN_BUILDS, NONE, Patience

_log = logging.getLogger(__name__)

_PAGE = 500
_STORE_AGAIN_SECONDS = 2.0
_HANDED_OVER = "This worker stops; another one begins the build anew"
_INTERRUPTED = "the server stopped while this build was running; sync again"


class Dispatcher:
    """Runs one build at a time per call of `run`; the queue decides how many calls there are."""

    def __init__(
        self,
        *,
        builder: SiteBuilder,
        records: BuildRecords,
        events: BuildEvents,
        clock: Clock,
        worker: str = "",
        hands_over: bool = False,
    ) -> None:
        self._builder = builder
        self._records = records
        self._events = events
        self._clock = clock
        self._worker = worker
        self._hands_over = hands_over

    async def run(self, build_id: str, was_cancelled: WasCancelled) -> None:
        """Run a queued build to its end and record it. Never raises but `CancelledError`.

        When the task is cancelled the build ends CANCELLED if somebody asked for
        that. Otherwise it is queued again where there are other workers, and ends
        FAILED as interrupted where there are none. Of a build that was taken over
        nothing more is written.
        """
        build = await self._records.build(build_id)
        if build is None or build.state is not BuildState.QUEUED:
            return
        journal = self._journal(build, patience=IN_BUILDS)
        _log.info("build_started", extra={"build": build.name, "entity": str(build.entity)})
        journal.learn(worker=self._worker)
        try:
            async with journal.keep_storing():
                await self._builder.run(journal)
        except asyncio.CancelledError:
            await asyncio.shield(self._stopped(journal, was_cancelled=was_cancelled()))
            if journal.build.state.is_final:
                self._log_end(journal.build)
            raise
        except BuildSuperseded:
            _log.warning("build_superseded", extra={"build": build.name, "attempt": build.attempt})
            return
        except Exception as error:
            await self._end_failed(journal, error)
        self._log_end(journal.build)

    async def cancel(self, build: Build, queue: BuildQueue) -> None:
        """Ask a build to stop. One that still waits is CANCELLED when this returns."""
        await queue.cancel(build.id)
        current = await self._records.build(build.id)
        if current is not None and current.state is BuildState.QUEUED:
            with suppress(ValueError):  # a worker has begun it in between, and is told
                await self._end_stopped(self._journal(current), was_cancelled=True)

    async def fail(self, build: Build, error: TechDocsError) -> None:
        """End a build that could not even be queued."""
        await self._end_failed(self._journal(build), error)

    async def recover(self, queue: BuildQueue) -> None:
        """Take up what the last process left: queued builds run, running ones end as interrupted.

        Call once, before the first `run`, by the only process that uses the records.
        """
        builds = await self._records.builds(entity=None, states=ACTIVE_STATES, after=None, limit=_PAGE)
        for build in reversed(builds):
            if build.state is not BuildState.QUEUED:
                await self._end_stopped(self._journal(build), was_cancelled=False)
                continue
            try:
                await queue.submit(build)
            except BuildQueueFull as error:
                await self.fail(build, error)

    def _journal(self, build: Build, *, patience: Patience = NONE) -> BuildJournal:
        return BuildJournal(build, records=self._records, events=self._events, clock=self._clock, patience=patience)

    async def _stopped(self, journal: BuildJournal, *, was_cancelled: bool) -> None:
        if was_cancelled or not self._hands_over:
            return await self._end_stopped(journal, was_cancelled=was_cancelled)
        if journal.build.state in (BuildState.QUEUED, *FINAL_STATES):
            return None
        journal.say(_HANDED_OVER, Severity.WARNING)
        try:
            await journal.give_back()
        except (StorageUnavailable, BuildSuperseded) as error:
            # Whoever watches over lost workers takes it up.
            _log.warning("build_not_handed_over", extra={"build": journal.build.name, "problem": str(error)})
        return None

    async def _end_stopped(self, journal: BuildJournal, *, was_cancelled: bool) -> None:
        if journal.build.state.is_final:
            return
        if was_cancelled:
            journal.say("The build was cancelled", Severity.WARNING)
            problem = BuildProblem(journal.build.state, "BUILD_CANCELLED", "it was cancelled on request")
            await self._end(journal, BuildState.CANCELLED, problem)
        else:
            journal.say(_INTERRUPTED, Severity.ERROR)
            problem = BuildProblem(journal.build.state, "SERVER_DRAINING", _INTERRUPTED)
            await self._end(journal, BuildState.FAILED, problem)

    async def _end_failed(self, journal: BuildJournal, error: Exception) -> None:
        if journal.build.state.is_final:
            return
        problem = problem_of(error, journal.build.state)
        if problem.reason == "INTERNAL":
            _log.error("build_crashed", extra={"build": journal.build.name}, exc_info=error)
        journal.say(problem.advice, Severity.ERROR)
        await self._end(journal, BuildState.FAILED, problem)

    async def _end(self, journal: BuildJournal, state: BuildState, problem: BuildProblem) -> None:
        """Record the end, however long the records take to answer.

        A build whose end is not recorded would keep its entity from ever being
        built again, so this holds the build's slot until it is.
        """
        try:
            await journal.move(state, problem=problem)
        except BuildSuperseded:
            _log.warning("build_superseded", extra={"build": journal.build.name, "attempt": journal.build.attempt})
        except StorageUnavailable as error:
            _log.error("build_end_not_stored", extra={"build": journal.build.name, "problem": error.message})
            await self._store_at_last(journal)

    @staticmethod
    async def _store_at_last(journal: BuildJournal) -> None:
        while True:
            await asyncio.sleep(_STORE_AGAIN_SECONDS)
            try:
                return await journal.store()
            except StorageUnavailable:
                continue
            except BuildSuperseded:
                return None

    def _log_end(self, build: Build) -> None:
        seconds = (self._clock.now() - (build.start_time or build.create_time)).total_seconds()
        _log.info(
            "build_finished",
            extra={
                "build": build.name,
                "entity": str(build.entity),
                "state": str(build.state),
                "updated": build.updated,
                "duration_seconds": round(seconds, 3),
                **({"reason": build.problem.reason} if build.problem else {}),
            },
        )


def problem_of(error: Exception, phase: BuildState) -> BuildProblem:
    """Return what a build record says of the error that ended it."""
    match error:
        case BuildStepFailed():
            return BuildProblem(
                phase=phase,
                reason="BUILD_FAILED",
                message=error.problem,
                cause=error.reason.value,
                file=error.file,
                line=error.line,
                hint=error.hint,
            )
        case TechDocsError():
            return BuildProblem(phase, error.reason, error.message)
        # Uploads run in a group; whichever failed first, the store is what is wrong.
        case ExceptionGroup() if (storage := error.subgroup(StorageUnavailable)) is not None:
            return problem_of(_first(storage), phase)
        case _:
            return BuildProblem(phase, "INTERNAL", "an internal error; the server's log has the build's name")


def _first(group: ExceptionGroup[StorageUnavailable]) -> Exception:
    error: Exception = group
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
