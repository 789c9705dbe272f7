"""The tables of procrastinate, made and brought up to date with its own statements."""

from __future__ import annotations

from importlib import resources

from procrastinate.schema import SchemaManager
from sqlalchemy import Connection, text

from techdocs_server.adapters.records.engine import SqlDatabase

_LOCK = 7_070_002
"""Any number that nothing else in the database locks."""


async def upgrade_queue(database: SqlDatabase) -> None:
    """Make the tables of the queue, or run the migrations that came since they were made.

    One transaction; servers that start together take turns. Raises `StorageUnavailable`.
    """
    await database.write(_upgrade)


def _upgrade(connection: Connection) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    connection.execute(text("CREATE TABLE IF NOT EXISTS queue_migrations (newest TEXT NOT NULL)"))
    known = _migrations()
    newest = connection.execute(text("SELECT newest FROM queue_migrations")).scalar()
    if newest is None:
        _run(connection, SchemaManager.get_schema())
        connection.execute(text("INSERT INTO queue_migrations VALUES (:newest)"), {"newest": max(known)})
        return
    for name in sorted(name for name in known if name > newest):
        _run(connection, known[name])
        connection.execute(text("UPDATE queue_migrations SET newest = :newest"), {"newest": name})


def _migrations() -> dict[str, str]:
    """Return procrastinate's migrations by their names, which sort by version."""
    folder = resources.files("procrastinate.sql") / "migrations"
    return {file.name: file.read_text("utf-8") for file in folder.iterdir() if file.name.endswith(".sql")}


def _run(connection: Connection, statements: str) -> None:
    # Past SQLAlchemy, which would read % and : in them as its own.
    driver_connection = connection.connection.driver_connection
    assert driver_connection is not None  # noqa: S101 - a transaction is open
    driver_connection.execute(statements)
