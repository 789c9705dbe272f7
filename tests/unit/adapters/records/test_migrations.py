"""Databases of every age become what the code expects, or are refused."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import AsyncExitStack, closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from techdocs_server.adapters.records.engine import SqlDatabase
from techdocs_server.adapters.records.migrations.upgrade import upgrade
from techdocs_server.adapters.records.schema import metadata
from techdocs_server.adapters.records.sql_sites import SqlSiteRecords
from techdocs_server.domain.errors import StorageUnavailable

from tests.support.record_values import entity, published, revision
from tests.support.store_processes import line_of, store_process
from tests.support.stores import open_database


def file_of(folder: Path) -> Path:
    return folder / "records.sqlite"


def statements_of(folder: Path) -> list[str]:
    """Return what made the tables and indexes of a file."""
    with closing(sqlite3.connect(file_of(folder))) as connection:
        return [row[0] for row in connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY 1")]


async def test_empty_file_gets_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with open_database(tmp_path) as database:
        assert await database.read(differences) == []


async def test_partial_index_allows_one_active_build_per_entity(tmp_path: Path) -> None:
    async with open_database(tmp_path):
        pass
    [statement] = [one for one in statements_of(tmp_path) if "builds_one_active" in one]
    assert statement.startswith("CREATE UNIQUE INDEX")
    assert statement.endswith("WHERE state NOT IN ('succeeded', 'failed', 'cancelled')")


async def test_upgrade_of_a_current_database_keeps_everything(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:
        records = SqlSiteRecords(database)
        pointer = await published(records, revision(entity("docs"), "first"))
        before = statements_of(tmp_path)
        await upgrade(database)
        await upgrade(database)
        assert statements_of(tmp_path) == before
        assert await records.pointer(entity("docs")) == pointer


async def test_database_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    async with open_database(tmp_path):
        pass
    with closing(sqlite3.connect(file_of(tmp_path))) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    before = statements_of(tmp_path)
    database = SqlDatabase(f"sqlite:///{file_of(tmp_path)}")
    with pytest.raises(StorageUnavailable, match="a newer version of this service made the database"):
        await upgrade(database)
    await database.close()
    assert statements_of(tmp_path) == before


async def test_failed_upgrade_changes_nothing(tmp_path: Path) -> None:
    # The name of the third table is taken by something that is not ours.
    with closing(sqlite3.connect(file_of(tmp_path))) as connection:
        connection.execute("CREATE TABLE builds (mine TEXT)")
    database = SqlDatabase(f"sqlite:///{file_of(tmp_path)}")
    with pytest.raises(StorageUnavailable):
        await upgrade(database)
    await database.close()
    assert statements_of(tmp_path) == ["CREATE TABLE builds (mine TEXT)"]


async def test_servers_that_start_at_the_same_moment_all_succeed(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        processes = [await stack.enter_async_context(store_process("upgrade_database", tmp_path)) for _ in range(4)]
        assert [await line_of(process) for process in processes] == ["ready"] * 4
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(b"go\n")
        assert [await line_of(process) for process in processes] == ["done"] * 4
        assert [await process.wait() for process in processes] == [0] * 4


async def test_upgrades_at_the_same_moment_in_one_process_all_succeed(tmp_path: Path) -> None:
    # Of one file, where they take turns, and of different ones, where the databases do not make them.
    files = [tmp_path / f"{number % 3}.sqlite" for number in range(9)]
    databases = [SqlDatabase(f"sqlite:///{file}") for file in files]
    await asyncio.gather(*(upgrade(database) for database in databases))
    for database in databases:
        assert await SqlSiteRecords(database).pointer(entity("docs")) is None
    await asyncio.gather(*(database.close() for database in databases))
