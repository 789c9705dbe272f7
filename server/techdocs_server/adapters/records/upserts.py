"""Inserting what may be there already."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_if_absent(connection: Connection, table: Table, values: Mapping[str, object]) -> bool:
    """Insert a row unless one that a unique key forbids is there; say whether it was inserted.

    A transaction that inserts the same key meanwhile is waited for.
    """
    if connection.dialect.name == "postgresql":
        # Not every driver counts the rows of such a statement.
        statement = postgresql.insert(table).values(**values).on_conflict_do_nothing()
        return connection.execute(statement.returning(*table.primary_key.columns)).first() is not None
    return connection.execute(sqlite.insert(table).values(**values).on_conflict_do_nothing()).rowcount == 1
