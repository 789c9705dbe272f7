"""What every SiteChecks promises."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from techdocs_server.adapters.records.memory import MemorySiteRecords
from techdocs_server.adapters.records.memory_site_checks import MemorySiteChecks
from techdocs_server.adapters.records.sql_site_checks import SqlSiteChecks
from techdocs_server.adapters.records.sql_sites import SqlSiteRecords
from techdocs_server.domain.site import SitePointer
from techdocs_server.ports.records import SiteRecords
from techdocs_server.ports.site_checks import SiteCheck, SiteChecks

from tests.support.clocks import NOON
from tests.support.record_values import entity, published, revision
from tests.support.stores import open_database

SITE = entity("docs")
LATER = NOON + timedelta(seconds=10)


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def records(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[SiteRecords, SiteChecks]]:
    if request.param == "memory":
        sites = MemorySiteRecords()
        yield sites, MemorySiteChecks(sites)
        return
    server = request.getfixturevalue("postgresql_server") if request.param == "postgresql" else None
    async with open_database(tmp_path, server) as database:
        yield SqlSiteRecords(database), SqlSiteChecks(database)


async def test_nothing_is_known_of_a_site_that_was_never_checked(records: tuple[SiteRecords, SiteChecks]) -> None:
    sites, checks = records
    assert await checks.last(SITE) is None
    await published(sites, revision(SITE, "one"))
    assert await checks.last(SITE) is None


async def test_later_check_is_remembered_and_an_earlier_one_is_not(records: tuple[SiteRecords, SiteChecks]) -> None:
    sites, checks = records
    pointer = await published(sites, revision(SITE, "one"))
    await checks.remember(SITE, SiteCheck(NOON, pointer.version))
    await checks.remember(SITE, SiteCheck(LATER, pointer.version))
    await checks.remember(SITE, SiteCheck(NOON, pointer.version))
    assert await checks.last(SITE) == SiteCheck(LATER, pointer.version)
    assert await checks.last(entity("other")) is None


async def test_check_of_a_pointer_that_has_moved_is_not_remembered(records: tuple[SiteRecords, SiteChecks]) -> None:
    sites, checks = records
    first = await published(sites, revision(SITE, "one"))
    await checks.remember(SITE, SiteCheck(NOON, first.version))
    second = await moved(sites, first)
    await checks.remember(SITE, SiteCheck(LATER, first.version))
    assert await checks.last(SITE) == SiteCheck(NOON, first.version)
    # Clocks differ: one of the present version counts, whatever its time.
    await checks.remember(SITE, SiteCheck(NOON - timedelta(seconds=1), second.version))
    assert await checks.last(SITE) == SiteCheck(NOON - timedelta(seconds=1), second.version)


async def test_site_that_is_not_there_has_no_check(records: tuple[SiteRecords, SiteChecks]) -> None:
    sites, checks = records
    await checks.remember(SITE, SiteCheck(NOON, 1))
    assert await checks.last(SITE) is None
    pointer = await published(sites, revision(SITE, "one"))
    await checks.remember(SITE, SiteCheck(NOON, pointer.version))
    await sites.delete_site(SITE, expected=pointer, now=LATER)
    assert await checks.last(SITE) is None
    await checks.remember(SITE, SiteCheck(LATER, pointer.version))
    assert await checks.last(SITE) is None


async def moved(sites: SiteRecords, pointer: SitePointer) -> SitePointer:
    return await sites.move_pointer(SITE, to=pointer.revision, source_etag="other", expected=pointer, now=LATER)
