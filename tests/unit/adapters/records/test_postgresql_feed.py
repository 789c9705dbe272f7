"""What one process commits, another hears of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from techdocs_server.adapters.records.engine import SqlDatabase
from techdocs_server.adapters.records.postgresql_feed import APPLICATION_NAME, Heard, PostgreSQLFeed
from techdocs_server.adapters.records.sql_builds import SqlBuildRecords
from techdocs_server.adapters.records.sql_sites import SqlSiteRecords

from tests.support.postgresql import PostgreSQL
from tests.support.record_values import entity, published, queued, revision
from tests.support.stores import open_database
from tests.support.waiting import eventually

SITE = entity("docs")


class Ear:
    """A feed that runs, and what it heard."""

    def __init__(self, conninfo: str) -> None:
        self.said: list[object] = []
        heard = Heard(
            site=self.said.append,
            build=self.said.append,
            lost=lambda: self.said.append("lost"),
            found=lambda: self.said.append("found"),
        )
        self.task = asyncio.create_task(PostgreSQLFeed(conninfo, heard).run())

    async def hears(self, *expected: object) -> None:
        await eventually(lambda: self.said == list(expected), timeout_seconds=10, what=f"it hears {expected}")


@pytest.fixture
async def database(tmp_path: Path, postgresql_server: PostgreSQL) -> AsyncIterator[SqlDatabase]:
    async with open_database(tmp_path, postgresql_server) as opened:
        yield opened


@pytest.fixture
async def ear(database: SqlDatabase) -> AsyncIterator[Ear]:
    listening = Ear(database.url.replace("+psycopg", ""))
    await listening.hears("found")
    yield listening
    listening.task.cancel()
    await asyncio.gather(listening.task, return_exceptions=True)


async def test_moves_and_builds_are_heard_of(ear: Ear, database: SqlDatabase) -> None:
    await published(SqlSiteRecords(database), revision(SITE, "first"))
    await ear.hears("found", SITE)
    build = await SqlBuildRecords(database).create_build(queued(SITE))
    await ear.hears("found", SITE, build.id)


async def test_feed_says_when_it_hears_nothing_and_comes_back(ear: Ear, database: SqlDatabase) -> None:
    with psycopg.connect(database.url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name = %s",
            (APPLICATION_NAME,),
        )
    await ear.hears("found", "lost", "found")
    await published(SqlSiteRecords(database), revision(SITE, "first"))
    await ear.hears("found", "lost", "found", SITE)


async def test_silence_of_minutes_is_no_loss(ear: Ear, database: SqlDatabase) -> None:
    await asyncio.sleep(5)  # longer than any of the feed's own waits
    await published(SqlSiteRecords(database), revision(SITE, "first"))
    await ear.hears("found", SITE)
