"""A queue that several processes share, in PostgreSQL, by procrastinate.

A job is a build that waits or runs. Its lock is the entity, so that one build of an
entity runs at a time, whoever runs it; its queueing lock is too, so that one waits.
The records of builds say what a build is; a job only says that somebody must run it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException, ProcrastinateException
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager
from psycopg_pool import PoolTimeout

from techdocs_server.domain.build import Build, BuildTrigger
from techdocs_server.domain.errors import BuildQueueFull, StorageUnavailable
from techdocs_server.ports.queue import JobState, RunBuild

_log = logging.getLogger(__name__)

QUEUE = "builds"
_POOL = 6
_POOL_SECONDS = 5.0
_CONNECT_SECONDS = 3
HEARTBEAT_SECONDS = 5.0
LOST_SECONDS = 20.0
# Notices tell of new jobs. A job that waits for the one before it of the same entity is told of too early, and the end
# of that one is told to nobody: the worker finds it by looking.
_POLL_SECONDS = 0.5
_RESTART_SECONDS = 1.0
# Room for as many waiting builds of one owner as anybody has, below those that somebody asked for.
_REFRESH_PRIORITY = -1_000_000

_WAITING = "SELECT count(*) AS jobs FROM procrastinate_jobs WHERE status = 'todo' AND queue_name = %(queue)s"
_WAITING_OF_OWNER = _WAITING + " AND args->>'owner' = %(owner)s AND args->>'trigger' = %(trigger)s"
_JOBS = """
    SELECT job.id, job.args->>'build_id' AS build_id, job.status = 'todo' AS waits,
           job.status = 'doing' AND (
               worker.id IS NULL OR worker.last_heartbeat < now() - make_interval(secs => %(seconds)s)
           ) AS is_lost
      FROM procrastinate_jobs job LEFT JOIN procrastinate_workers worker ON worker.id = job.worker_id
     WHERE job.queue_name = %(queue)s AND job.status IN ('todo', 'doing')
"""
_PROMOTE = """
    UPDATE procrastinate_jobs SET priority = priority - %(refresh)s
     WHERE status = 'todo' AND args->>'build_id' = %(build_id)s AND priority <= %(refresh)s
"""


class _Jobs(JobManager):
    """Jobs of which another process may have taken one away from a worker that it held for lost."""

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:  # noqa: FBT001 - as its base has it
        """Finish a job that is still there."""
        try:
            await super().finish_job(job, status, delete_job)
        except ConnectorException as error:
            # Raised by procrastinate_finish_job_v1 itself, of a job that does not run.
            if not isinstance(error.__cause__, psycopg.errors.RaiseException):
                raise
            _log.info("job_was_taken_over", extra={"job": job.id, "build": job.task_kwargs.get("build_id")})


class ProcrastinateBuildQueue:
    """A SharedBuildQueue; a process that calls `start` is also one of its workers, for ``concurrency`` builds at a time.

    A worker says every `HEARTBEAT_SECONDS` that it lives and counts as lost after
    `LOST_SECONDS`. Owners take turns: a build stands behind as many others as its owner
    has waiting. While the database is away submits fail, running builds go on, and the
    worker begins again as soon as it is back.
    """

    def __init__(self, conninfo: str, *, concurrency: int, limit: int) -> None:
        self._conninfo = conninfo
        self._concurrency = concurrency
        self._limit = limit
        connector = PsycopgConnector(conninfo=conninfo, min_size=1, max_size=_POOL, timeout=_POOL_SECONDS)
        self._app = App(connector=connector)
        self._app.job_manager = _Jobs(self._app.connector)
        self._task = self._app.task(name="techdocs.build", queue=QUEUE, pass_context=True)(self._work)
        self._run: RunBuild | None = None
        self._worker: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._running: dict[str, asyncio.Task[None]] = {}

    async def open(self) -> None:
        """Connect. Raises `StorageUnavailable`."""
        async with _reporting():
            # The pool would try for half a minute before it says that there is no database.
            connection = await psycopg.AsyncConnection.connect(self._conninfo, connect_timeout=_CONNECT_SECONDS)
            await connection.close()
            await self._app.open_async()

    async def close(self) -> None:
        """Disconnect."""
        await self._app.close_async()

    def start(self, run: RunBuild) -> None:
        """Begin to run builds."""
        self._run = run
        self._worker = asyncio.create_task(self._keep_working())

    async def stop(self) -> None:
        """Run nothing further, cancel what runs and wait until it has ended. Builds that did not end wait again."""
        if self._worker is None:
            return
        self._is_stopping = True
        self._worker.cancel()
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(self._worker, return_exceptions=True)
        self._worker = None

    async def ensure_room(self) -> None:
        """See `BuildQueue`."""
        if await self._count(_WAITING) >= self._limit:
            raise BuildQueueFull(self._limit)

    async def submit(self, build: Build) -> None:
        """See `BuildQueue`."""
        await self.ensure_room()
        await self._defer(_job_of(build))

    async def promote(self, build_id: str) -> None:
        """See `BuildQueue`."""
        async with _reporting():
            await self._app.connector.execute_query_async(_PROMOTE, build_id=build_id, refresh=_REFRESH_PRIORITY)

    async def cancel(self, build_id: str) -> None:
        """See `BuildQueue`. Returns when the worker has been told."""
        async with _reporting():
            for row in await self._rows():
                if row["build_id"] == build_id:
                    await self._app.job_manager.cancel_job_by_id_async(row["id"], abort=True, delete_job=True)

    async def jobs(self) -> Mapping[str, JobState]:
        """See `SharedBuildQueue`."""
        async with _reporting():
            return {row["build_id"]: _state(row) for row in await self._rows()}

    async def requeue(self, build: Build) -> None:
        """See `SharedBuildQueue`."""
        if not await self._drop_lost(build.id):
            await self._defer(_job_of(build))

    async def forget(self, build_id: str) -> None:
        """See `SharedBuildQueue`."""
        await self._drop_lost(build_id)

    async def _drop_lost(self, build_id: str) -> bool:
        """Drop the lost job of a build; return whether it has one that is not lost.

        A next job has another id: should the lost worker come back, what it says of its own is of no effect.
        """
        async with _reporting():
            rows = [row for row in await self._rows() if row["build_id"] == build_id]
            for row in rows:
                if row["is_lost"]:
                    await self._app.job_manager.finish_job_by_id_async(row["id"], Status.ABORTED, delete_job=True)
        return not all(row["is_lost"] for row in rows)

    async def _defer(self, job: Mapping[str, str]) -> None:
        async with _reporting():
            priority = -await self._count(_WAITING_OF_OWNER, owner=job["owner"], trigger=job["trigger"])
            if job["trigger"] == BuildTrigger.REFRESH.value:
                priority += _REFRESH_PRIORITY
            deferrer = self._task.configure(lock=job["entity"], queueing_lock=job["entity"], priority=priority)
            try:
                await deferrer.defer_async(**job)
            except AlreadyEnqueued:
                # Of this build, or of one that has ended meanwhile: whoever watches over lost jobs finds that out.
                _log.info("build_waits_already", extra={"build": job["build_id"]})

    async def _count(self, query: str, **arguments: str) -> int:
        async with _reporting():
            row = await self._app.connector.execute_query_one_async(query, queue=QUEUE, **arguments)
        return int(row["jobs"])

    async def _rows(self) -> list[dict[str, Any]]:
        return await self._app.connector.execute_query_all_async(_JOBS, queue=QUEUE, seconds=LOST_SECONDS)

    async def _keep_working(self) -> None:
        while True:
            try:
                await self._app.run_worker_async(
                    queues=[QUEUE],
                    concurrency=self._concurrency,
                    install_signal_handlers=False,
                    fetch_job_polling_interval=_POLL_SECONDS,
                    abort_job_polling_interval=_POLL_SECONDS,
                    update_heartbeat_interval=HEARTBEAT_SECONDS,
                    stalled_worker_timeout=LOST_SECONDS,
                    delete_jobs="always",
                )
            except Exception as error:
                _log.warning("worker_stopped", extra={"problem": type(error).__name__})
            # A worker that is cancelled while the database is away may end with what its last words failed with.
            if self._is_stopping:
                return
            # It stops by itself when the database goes away.
            await asyncio.sleep(_RESTART_SECONDS)

    async def _work(self, context: JobContext, build_id: str, entity: str, owner: str, trigger: str) -> None:
        """Run the build of a job. When this process stops first, the build waits in a new job."""
        run = self._run
        assert run is not None  # noqa: S101 - jobs come to workers only
        task = asyncio.create_task(run(build_id, context.should_abort))
        self._running[build_id] = task
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait([task])
            if not context.should_abort():
                await self._hand_over({"build_id": build_id, "entity": entity, "owner": owner, "trigger": trigger})
        finally:
            del self._running[build_id]

    async def _hand_over(self, job: Mapping[str, str]) -> None:
        try:
            await self._defer(job)
        except StorageUnavailable as error:
            _log.warning("build_not_handed_over", extra={"build": job["build_id"], "problem": error.message})


def _job_of(build: Build) -> Mapping[str, str]:
    return {
        "build_id": build.id,
        "entity": str(build.entity),
        "owner": build.owner,
        "trigger": build.trigger.value,
    }


def _state(row: Mapping[str, Any]) -> JobState:
    if row["waits"]:
        return JobState.WAITING
    return JobState.LOST if row["is_lost"] else JobState.RUNNING


@asynccontextmanager
async def _reporting() -> AsyncIterator[None]:
    """Turn what procrastinate and its driver raise into `StorageUnavailable`."""
    try:
        yield
    except (ProcrastinateException, psycopg.Error, PoolTimeout, OSError) as error:
        raise StorageUnavailable("the queue in the database does not answer") from error
