"""A database of an earlier version comes up to date with everything in it, and servers of that version go on working."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from techdocs_server.adapters.records.engine import SqlDatabase
from techdocs_server.adapters.records.migrations.upgrade import upgrade
from techdocs_server.adapters.records.sql_builds import SqlBuildRecords
from techdocs_server.adapters.records.sql_sites import SqlSiteRecords
from techdocs_server.domain.build import BuildState
from techdocs_server.domain.site import SitePointer

from tests.support.clocks import NOON
from tests.support.record_values import entity, published, queued, revision

SITE = entity("docs")
FIRST = "a" * 64

STATEMENTS = Path(__file__).with_name("older_versions")
VERSIONS = sorted(file.stem for file in STATEMENTS.glob("*.sql"))


def write(connection: Connection, version: str, *, number: int, name: str) -> None:
    """Do what a server of a version does, as its file has it."""
    script = (STATEMENTS / f"{version}.sql").read_text()
    for statement in script.replace(":number", str(number)).replace(":name", name).split(";\n"):
        if statement.strip():
            connection.exec_driver_sql(statement)


def upgrade_to(connection: Connection, version: str) -> None:
    config = Config()
    config.set_main_option("script_location", "techdocs_server.adapters.records:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, version)


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlDatabase]:
    if request.param == "sqlite":
        opened = SqlDatabase(f"sqlite:///{tmp_path / 'records.sqlite'}")
    else:
        opened = SqlDatabase(request.getfixturevalue("postgresql_server").new_database())
    yield opened
    await opened.close()


@pytest.mark.parametrize("version", VERSIONS)
async def test_everything_of_an_older_version_is_there_after_the_upgrade(database: SqlDatabase, version: str) -> None:
    await database.write(upgrade_to, version)
    await database.write(lambda connection: write(connection, version, number=1, name="docs"))
    await upgrade(database)
    sites, builds = SqlSiteRecords(database), SqlBuildRecords(database)
    pointer = await sites.pointer(SITE)
    assert pointer == SitePointer(FIRST, 7, "etag")
    assert (await sites.revision(SITE, FIRST)) is not None
    build = await builds.active_build(SITE)
    assert build is not None
    assert (build.state, build.attempt, build.worker) == (BuildState.QUEUED, 1, "")
    assert len(await builds.events(build.id, after_sequence=0, limit=10)) == 1
    moved = await published(sites, revision(SITE, "second"), expected=pointer)
    assert moved.version == 8


@pytest.mark.parametrize("version", VERSIONS)
async def test_server_of_an_older_version_goes_on_writing_and_is_read(database: SqlDatabase, version: str) -> None:
    await upgrade(database)
    sites, builds = SqlSiteRecords(database), SqlBuildRecords(database)
    await published(sites, revision(SITE, "ours"))
    await builds.create_build(queued(SITE))
    await database.write(lambda connection: write(connection, version, number=101, name="theirs"))
    theirs = entity("theirs")
    assert await sites.pointer(theirs) == SitePointer(FIRST, 7, "etag")
    assert [site.entity for site in await sites.sites(namespace=None, kind=None, after=None, limit=10)] == [
        SITE,
        theirs,
    ]
    assert await builds.build("build-101") is not None
    # It moves a pointer too, and this version follows.
    await database.write(
        lambda connection: connection.execute(text("UPDATE sites SET version = 8 WHERE name = 'theirs'"))
    )
    moved = await sites.pointer(theirs)
    assert moved is not None
    assert moved.version == 8
    assert (await published(sites, revision(theirs, "new"), expected=moved, now=NOON)).version == 9
