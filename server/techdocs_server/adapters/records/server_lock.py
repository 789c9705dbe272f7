"""One server at a time on a PostgreSQL database: a server takes builds that it does not run itself for interrupted ones."""

from __future__ import annotations

import asyncio

from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from techdocs_server.adapters.records.sql_problems import storage_problem

_LOCK = 7_070_002
"""Any number that nothing else in the database locks."""


class DatabaseInUse(Exception):
    """Another server uses the database."""


class ServerLock:
    """Held by a session of its own, so it ends with the process, however that ends."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    async def take(cls, url: str) -> ServerLock:
        """Take the lock. Raises `DatabaseInUse` and `StorageUnavailable`."""
        return await asyncio.to_thread(cls._take, url)

    async def release(self) -> None:
        """Let others have it."""
        await asyncio.to_thread(self._connection.close)

    @classmethod
    def _take(cls, url: str) -> ServerLock:
        try:
            # Without a pool: closing the connection ends the session.
            engine = create_engine(
                make_url(url), poolclass=NullPool, hide_parameters=True, isolation_level="AUTOCOMMIT"
            )
            connection = engine.connect()
            if connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": _LOCK}):
                return cls(connection)
            connection.close()
        except SQLAlchemyError as error:
            raise storage_problem(error) from error
        raise DatabaseInUse
