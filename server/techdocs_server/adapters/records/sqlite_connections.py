"""What SQLite needs beyond SQL: how connections are set up, and how transactions begin.

A database answers readers while somebody writes (write-ahead log), and a commit
is on the disk before it is answered (synchronous FULL): a power loss costs
nothing that a caller was told. NORMAL would be faster, but could undo the last
moves of a pointer, and then hand out their versions, which are etags, again.
"""

from __future__ import annotations

import sqlite3
import time
from typing import Final

from sqlalchemy import Connection, Engine, event
from sqlalchemy.pool import ConnectionPoolEntry

BEGINS_WRITING: Final = "begins_writing"
"""Execution option of connections whose transactions write."""

_POLL_SECONDS = 0.01


def prepare_sqlite(engine: Engine, *, busy_timeout_seconds: float) -> None:
    """Set up every connection that the engine will make.

    A transaction waits for another process that writes for the timeout; inside a
    process writers are expected to take turns.
    """

    def set_up(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        # The driver would begin transactions late, and not at all for DDL; we begin them ourselves.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {int(busy_timeout_seconds * 1000)}")
        _use_write_ahead_log(connection, timeout_seconds=busy_timeout_seconds)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")

    event.listen(engine, "connect", set_up)
    event.listen(engine, "begin", _begin)


def _use_write_ahead_log(connection: sqlite3.Connection, *, timeout_seconds: float) -> None:
    """Switch the file to the log, if it is new. SQLite does not wait by itself when others do the same."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
        time.sleep(_POLL_SECONDS)


def _begin(connection: Connection) -> None:
    # A transaction that reads first and then writes fails at once when another wrote
    # in between, without waiting; taking the write lock at the start does wait.
    writes = connection.get_execution_options().get(BEGINS_WRITING, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
