"""Inserting what may be there already."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_if_absent(connection: Connection, table: Table, values: Mapping[str, object]) -> bool:
    """Insert a row unless one that a unique key forbids is there; say whether it was inserted.

    A transaction that inserts the same key meanwhile is waited for.
    """
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).values(**values).on_conflict_do_nothing()
    # Without the option SQLAlchemy forgets what PostgreSQL says, and every insert looks like none.
    return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount == 1
