"""A database that fails, waits and comes back."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from techdocs_server.adapters.records.engine import SqlDatabase
from techdocs_server.adapters.records.sql_builds import SqlBuildRecords
from techdocs_server.adapters.records.sql_sites import SqlSiteRecords
from techdocs_server.domain.errors import StorageUnavailable

from tests.support.clocks import NOON
from tests.support.record_values import entity, log_event, published, queued, revision
from tests.support.store_processes import line_of, store_process
from tests.support.stores import open_database
from tests.support.waiting import eventually

SITE = entity("docs")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqlDatabase]:
    async with open_database(tmp_path) as opened:
        yield opened


def file_of(folder: Path) -> Path:
    return folder / "records.sqlite"


@contextmanager
def write_lock(folder: Path) -> Iterator[sqlite3.Connection]:
    """Hold the lock that a writer takes, as another process would."""
    connection = sqlite3.connect(file_of(folder), isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield connection
    finally:
        connection.close()


async def test_everything_is_there_after_closing_and_opening_again(tmp_path: Path) -> None:
    build = queued(SITE, request_id="request-1")
    made = revision(SITE, "first")
    async with open_database(tmp_path) as database:
        pointer = await published(SqlSiteRecords(database), made)
        await SqlBuildRecords(database).create_build(build)
        await SqlBuildRecords(database).append_events(build, [log_event(1), log_event(2)])
    async with open_database(tmp_path) as database:
        assert await SqlSiteRecords(database).pointer(SITE) == pointer
        assert await SqlSiteRecords(database).revision(SITE, made.revision) == made
        again = await SqlBuildRecords(database).create_build(queued(entity("other"), request_id="request-1"))
        assert again.id == build.id
        assert await SqlBuildRecords(database).events(build.id, after_sequence=0, limit=10) == [
            log_event(1),
            log_event(2),
        ]


async def test_version_goes_on_after_deletion_and_restart(tmp_path: Path) -> None:
    made = revision(SITE, "first")
    async with open_database(tmp_path) as database:
        pointer = await published(SqlSiteRecords(database), made)
        await SqlSiteRecords(database).delete_site(SITE, expected=pointer, now=NOON)
    async with open_database(tmp_path) as database:
        assert (await published(SqlSiteRecords(database), made)).version == 2


async def test_commit_is_on_the_disk_before_it_is_answered(database: SqlDatabase) -> None:
    def pragma(connection: Connection, name: str) -> object:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()

    assert await database.read(pragma, "journal_mode") == "wal"
    assert await database.read(pragma, "synchronous") == 2  # FULL
    assert await database.read(pragma, "foreign_keys") == 1


async def test_killed_process_leaves_whole_batches(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:
        records = SqlBuildRecords(database)
        async with store_process("append_for_ever", tmp_path) as process:
            build_id = await line_of(process)
            await eventually(
                lambda: records.events(build_id, after_sequence=100, limit=1), what="the other process appends"
            )
            process.kill()
        build = await records.build(build_id)
        events = await records.events(build_id, after_sequence=0, limit=100_000)
    assert build is not None
    assert build.last_sequence == len(events)
    assert len(events) % 20 == 0


async def test_work_that_raises_changes_nothing(database: SqlDatabase) -> None:
    def work(connection: Connection) -> None:
        connection.execute(text("INSERT INTO sites (namespace, kind, name, version, source_etag) VALUES (1,1,1,1,1)"))
        raise KeyError("halfway")

    with pytest.raises(KeyError, match="halfway"):
        await database.write(work)

    def count(connection: Connection) -> object:
        return connection.execute(text("SELECT count(*) FROM sites")).scalar_one()

    assert await database.read(count) == 0


async def test_readers_go_on_while_another_process_writes(tmp_path: Path, database: SqlDatabase) -> None:
    records = SqlSiteRecords(database)
    pointer = await published(records, revision(SITE, "first"))
    with write_lock(tmp_path) as other:
        other.execute("UPDATE sites SET version = 99")
        assert await records.pointer(SITE) == pointer


async def test_writer_that_waits_in_vain_says_that_the_database_is_busy(tmp_path: Path) -> None:
    async with open_database(tmp_path):
        impatient = SqlDatabase(f"sqlite:///{file_of(tmp_path)}", busy_timeout_seconds=0.05)
        with write_lock(tmp_path), pytest.raises(StorageUnavailable, match="the database is busy"):
            await SqlSiteRecords(impatient).add_revision(revision(SITE, "first"))
        await SqlSiteRecords(impatient).add_revision(revision(SITE, "first"))
        await impatient.close()


async def test_damaged_file_is_unavailable_and_not_empty(tmp_path: Path) -> None:
    file_of(tmp_path).write_bytes(b"not a database at all" * 1000)
    database = SqlDatabase(f"sqlite:///{file_of(tmp_path)}")
    await _expect_problem(SqlSiteRecords(database), "the database file is not a database", tmp_path)
    await database.close()


async def test_database_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    database = SqlDatabase(f"sqlite:///{tmp_path / 'no such folder' / 'records.sqlite'}")
    await _expect_problem(SqlSiteRecords(database), "the database cannot be opened", tmp_path)
    await database.close()


async def test_database_without_tables_is_unavailable_and_not_empty(tmp_path: Path) -> None:
    database = SqlDatabase(f"sqlite:///{file_of(tmp_path)}")
    await _expect_problem(SqlSiteRecords(database), "the database fails", tmp_path)
    await database.close()


async def test_closed_database_is_unavailable(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:
        pass
    await database.close()
    await _expect_problem(SqlSiteRecords(database), "it was closed", tmp_path)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_database_in_memory_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="name a file"):
        SqlDatabase(url)


async def _expect_problem(records: SqlSiteRecords, problem: str, folder: Path) -> None:
    for call in (records.pointer(SITE), records.add_revision(revision(SITE, "first"))):
        with pytest.raises(StorageUnavailable) as raised:
            await call
        assert raised.value.message == f"storage is unavailable: {problem}"
        assert str(folder) not in raised.value.message
