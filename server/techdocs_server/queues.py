"""The queue of builds, made from settings: in this process, or shared by all processes of a database."""

from __future__ import annotations

from techdocs_server.adapters.queue.in_process import InProcessBuildQueue
from techdocs_server.adapters.queue.procrastinate import ProcrastinateBuildQueue
from techdocs_server.adapters.queue.procrastinate_schema import upgrade_queue
from techdocs_server.adapters.records.engine import SqlDatabase
from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.settings import Settings
from techdocs_server.start_failed import StartFailed
from techdocs_server.stores import Own, conninfo


def own_queue(settings: Settings) -> InProcessBuildQueue:
    """Return the queue of a process that has the stores to itself."""
    return InProcessBuildQueue(concurrency=settings.build_concurrency, limit=settings.build_queue_limit)


async def open_shared_queue(settings: Settings, database: SqlDatabase, own: Own) -> ProcrastinateBuildQueue:
    """Open the queue of all processes that share the database. Raises `StartFailed`."""
    queue = ProcrastinateBuildQueue(
        conninfo(settings), concurrency=settings.build_concurrency, limit=settings.build_queue_limit
    )
    own(queue.close)
    try:
        await upgrade_queue(database)
        await queue.open()
    except StorageUnavailable as error:
        raise StartFailed(f"database_url: {error.message}") from error
    return queue
