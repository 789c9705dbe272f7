"""A lock that a session of PostgreSQL holds, so it ends with the process, however that ends."""

from __future__ import annotations

import asyncio

from sqlalchemy import URL, Connection, create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from techdocs_server.adapters.records.sql_problems import storage_problem


class SessionLock:
    """Held until `release`, or until the session ends, which `check` finds out."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    async def take(cls, url: URL, number: int) -> SessionLock | None:
        """Return the lock of this number, or None when another session holds it. Raises `StorageUnavailable`."""
        return await asyncio.to_thread(cls._take, url, number)

    async def check(self) -> None:
        """Raise `StorageUnavailable` when the session has ended, and the lock with it."""
        await asyncio.to_thread(self._check)

    async def release(self) -> None:
        """Let others have it."""
        await asyncio.to_thread(self._connection.close)

    @classmethod
    def _take(cls, url: URL, number: int) -> SessionLock | None:
        try:
            # Without a pool: closing the connection ends the session.
            engine = create_engine(url, poolclass=NullPool, hide_parameters=True, isolation_level="AUTOCOMMIT")
            connection = engine.connect()
            if connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": number}):
                return cls(connection)
            connection.close()
        except SQLAlchemyError as error:
            raise storage_problem(error) from error
        return None

    def _check(self) -> None:
        try:
            self._connection.execute(text("SELECT 1"))
        except SQLAlchemyError as error:
            raise storage_problem(error) from error
