"""One server at a time on a PostgreSQL database: a server takes builds that it does not run itself for interrupted ones."""

from __future__ import annotations

from sqlalchemy import make_url

from techdocs_server.adapters.records.session_lock import SessionLock

_LOCK = 7_070_002
"""Any number that nothing else in the database locks."""


class DatabaseInUse(Exception):
    """Another server uses the database."""


class ServerLock:
    """Held by a session of its own."""

    def __init__(self, lock: SessionLock) -> None:
        self._lock = lock

    @classmethod
    async def take(cls, url: str) -> ServerLock:
        """Take the lock. Raises `DatabaseInUse` and `StorageUnavailable`."""
        lock = await SessionLock.take(make_url(url), _LOCK)
        if lock is None:
            raise DatabaseInUse
        return cls(lock)

    async def release(self) -> None:
        """Let others have it."""
        await self._lock.release()
