"""One collector at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import URL, Connection, text

from techdocs_server.adapters.records.session_lock import SessionLock
from techdocs_server.domain.upkeep_errors import CollectionRunning

_LOCK = 7_070_005
"""Any number that nothing else in the database locks."""


class CollectorLock:
    """Of one database. A SQLite file belongs to one process, which needs no more than a lock of its own."""

    def __init__(self, url: URL) -> None:
        self._url = url if url.get_backend_name() == "postgresql" else None
        self._in_process = asyncio.Lock()
        self._session: SessionLock | None = None

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Hold it. Raises `CollectionRunning` and `StorageUnavailable`."""
        if self._in_process.locked():
            raise CollectionRunning
        async with self._in_process:
            if self._url is None:
                yield
                return
            session = self._session = await SessionLock.take(self._url, _LOCK)
            if session is None:
                raise CollectionRunning
            try:
                yield
            finally:
                self._session = None
                await session.release()

    async def check(self) -> None:
        """Raise `StorageUnavailable` when it was lost, with the connection that held it."""
        if self._session is not None:
            await self._session.check()

    def is_free(self, connection: Connection) -> bool:
        """Whether nobody holds it now, here or elsewhere."""
        if self._in_process.locked():
            return False
        if self._url is None:
            return True
        return bool(connection.scalar(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": _LOCK}))
