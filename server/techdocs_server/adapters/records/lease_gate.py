"""Whoever takes leases and whoever looks whether there are any take turns.

Without that each could miss what the other is about to commit. SQLite's one writer
takes turns by itself.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

_GATE = 7_070_004
"""Any number that nothing else in the database locks."""


def enter_as_publisher(connection: Connection) -> None:
    """Wait until no collector is inside, and keep them out until the transaction ends. Publishers share it."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock_shared(:gate)"), {"gate": _GATE})


def enter_as_collector(connection: Connection) -> None:
    """Wait until nobody is inside, and keep everybody out until the transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:gate)"), {"gate": _GATE})
