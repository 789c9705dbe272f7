"""What a database says, in words that hold no SQL, no values and no path."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from techdocs_server.domain.errors import StorageUnavailable

_BUSY = "the database is busy"
# SQLite's extended codes hold the primary one in their low byte (sqlite.org/rescode.html).
_SQLITE_PROBLEMS = {
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_CANTOPEN: "the database cannot be opened",
    sqlite3.SQLITE_CORRUPT: "the database is damaged",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the database cannot be read or written",
    sqlite3.SQLITE_NOTADB: "the database file is not a database",
    sqlite3.SQLITE_PERM: "permission denied",
    sqlite3.SQLITE_READONLY: "the database is read-only",
    sqlite3.SQLITE_CONSTRAINT: "the database refuses the change",
}


def storage_problem(error: SQLAlchemyError) -> StorageUnavailable:
    """Return our error for one of SQLAlchemy's."""
    if isinstance(error, PoolTimeoutError):
        return StorageUnavailable(_BUSY)
    driver_error = error.orig if isinstance(error, DBAPIError) else None
    code = getattr(driver_error, "sqlite_errorcode", None)
    if isinstance(code, int):
        return StorageUnavailable(_SQLITE_PROBLEMS.get(code & 0xFF, "the database fails"))
    return StorageUnavailable("the database does not answer as it should")
