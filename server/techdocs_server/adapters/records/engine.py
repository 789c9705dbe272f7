"""A database, asked from the event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from sqlalchemy import Connection, Engine, create_engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from techdocs_server.adapters.records.collector_lock import CollectorLock
from techdocs_server.adapters.records.postgresql_connections import CONNECTION_OPTIONS, prepare_postgresql
from techdocs_server.adapters.records.sql_problems import storage_problem
from techdocs_server.adapters.records.sqlite_connections import BEGINS_WRITING, prepare_sqlite
from techdocs_server.adapters.thread_pool import ThreadPool

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

_READERS = 4
_WRITERS = 4
_POOL_TIMEOUT_SECONDS = 5


class SqlDatabase:
    """A database with the threads and connections to use it.

    Every call is one hop to a thread and one transaction, which is rolled back
    when the work raises anything. Constructing opens nothing; the first call does.
    Call `close` in the end.

    Nothing but what the work itself raises, and `StorageUnavailable`, comes out.
    Waiting for another process that writes to the same SQLite file counts as
    unavailable after the timeout.
    """

    def __init__(self, url: str, *, busy_timeout_seconds: float = 5) -> None:
        self.url = url
        parsed = make_url(url)
        self.collector = CollectorLock(parsed)
        is_sqlite = parsed.get_backend_name() == "sqlite"
        if is_sqlite and parsed.database in (None, "", ":memory:"):
            raise ValueError("a database in memory is not shared by connections; name a file")
        # SQLite has one writer at a time. Taking turns here is fair and wakes the next
        # at once; its own way of waiting is to sleep and try again.
        writers = 1 if is_sqlite else _WRITERS
        self._readers = ThreadPool(_READERS, name="records-read")
        self._writers = ThreadPool(writers, name="records-write")
        self._engine = create_engine(
            parsed,
            pool_size=_READERS + writers,
            max_overflow=0,
            pool_timeout=_POOL_TIMEOUT_SECONDS,
            # Noticing a dead server costs a round trip; a file does not die.
            pool_pre_ping=not is_sqlite,
            hide_parameters=True,
            connect_args={} if is_sqlite else CONNECTION_OPTIONS,
        )
        if is_sqlite:
            prepare_sqlite(self._engine, busy_timeout_seconds=busy_timeout_seconds)
        else:
            prepare_postgresql(self._engine)
        self._writing_engine = self._engine.execution_options(**{BEGINS_WRITING: True})

    async def read(self, work: Callable[[Connection, *Arguments], T], *arguments: *Arguments) -> T:
        """Run work that only reads, in one transaction, and return what it returns."""
        return await self._readers.run(_in_transaction, self._engine, work, *arguments)

    async def write(self, work: Callable[[Connection, *Arguments], T], *arguments: *Arguments) -> T:
        """Run work that writes, in one transaction that is committed when this returns.

        When the caller is cancelled, the work has been done wholly or not at all.
        """
        return await self._writers.run(_in_transaction, self._writing_engine, work, *arguments)

    async def close(self) -> None:
        """End what is in flight, then the threads and connections. Later calls raise `StorageUnavailable`."""
        await self._readers.close()
        await self._writers.close()
        self._engine.dispose()


def _in_transaction(engine: Engine, work: Callable[[Connection, *Arguments], T], *arguments: *Arguments) -> T:
    try:
        with engine.begin() as connection:
            return work(connection, *arguments)
    except SQLAlchemyError as error:
        raise storage_problem(error) from error
