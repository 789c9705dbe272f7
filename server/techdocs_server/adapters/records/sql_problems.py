"""What a database says, in words that hold no SQL, no values and no path."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
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

# The first two characters of an SQLSTATE are its class (postgresql.org/docs/current/errcodes-appendix.html).
_POSTGRESQL_PROBLEMS = {
    "08": "the database cannot be reached",
    "23": "the database refuses the change",
    "25": "the database is read-only",
    "25P03": "the database gave up a transaction that this process had left waiting",
    "28": "the database refuses the user or the password",
    "3D": "the database does not exist; create it",
    "40": _BUSY,
    "42": "the database refuses access, or its tables are not as this version made them",
    "53": "the database or its disk is full",
    "55": _BUSY,
    "57": "the database was stopped",
    "58": "the database cannot be read or written",
    "XX": "the database is damaged",
}


# A connection that is refused has no SQLSTATE yet, only the server's sentence, in English unless it is set up otherwise.
_REFUSALS = {
    "authentication failed": _POSTGRESQL_PROBLEMS["28"],
    "no pg_hba.conf entry": _POSTGRESQL_PROBLEMS["28"],
    "too many clients": "the database has too many connections",
    "remaining connection slots": "the database has too many connections",
    "does not exist": _POSTGRESQL_PROBLEMS["3D"],
}


def _connection_problem(said: str) -> str:
    return next((problem for words, problem in _REFUSALS.items() if words in said), _POSTGRESQL_PROBLEMS["08"])


def storage_problem(error: SQLAlchemyError) -> StorageUnavailable:
    """Return our error for one of SQLAlchemy's."""
    if isinstance(error, PoolTimeoutError):
        return StorageUnavailable(_BUSY)
    driver_error = error.orig if isinstance(error, DBAPIError) else None
    code = getattr(driver_error, "sqlite_errorcode", None)
    if isinstance(code, int):
        return StorageUnavailable(_SQLITE_PROBLEMS.get(code & 0xFF, "the database fails"))
    state = getattr(driver_error, "sqlstate", None)
    if isinstance(state, str):
        return StorageUnavailable(
            _POSTGRESQL_PROBLEMS.get(state) or _POSTGRESQL_PROBLEMS.get(state[:2], "the database fails")
        )
    if isinstance(error, OperationalError):
        return StorageUnavailable(_connection_problem(str(driver_error)))
    return StorageUnavailable("the database does not answer as it should")
