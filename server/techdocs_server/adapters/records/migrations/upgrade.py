"""Bringing a database up to date, at the start of a server."""

from __future__ import annotations

import threading

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from techdocs_server.adapters.records.engine import SqlDatabase
from techdocs_server.domain.errors import StorageUnavailable

_SCRIPTS = "techdocs_server.adapters.records:migrations"
# Alembic keeps the migration under way in module globals.
_one_at_a_time = threading.Lock()
_POSTGRESQL_LOCK = 7_070_001
"""Any number that nothing else in the database locks."""


async def upgrade(database: SqlDatabase) -> None:
    """Make the tables, or change older ones to what this code expects.

    All steps are one transaction: after a failure nothing has changed. Servers
    that start together take turns, and the later ones find nothing to do. May be
    called any number of times.

    Raises `StorageUnavailable` when a newer version of this service made the
    tables; then nothing is touched.
    """
    await database.write(_upgrade)


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        # On SQLite the transaction itself holds the only write lock.
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _POSTGRESQL_LOCK})
    config = Config()
    config.set_main_option("script_location", _SCRIPTS)
    config.attributes["connection"] = connection
    with _one_at_a_time:
        _check_not_newer(connection, config)
        command.upgrade(config, "head")


def _check_not_newer(connection: Connection, config: Config) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if not known.issuperset(MigrationContext.configure(connection).get_current_heads()):
        raise StorageUnavailable(
            "a newer version of this service made the database; run that version, or restore a backup from before it"
        )
