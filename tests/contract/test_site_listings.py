"""What all SiteRecords promise of their listings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.site import Revision, Site, SitePointer
from techdocs_server.ports.records import SiteRecords

from tests.support.clocks import NOON, ManualClock
from tests.support.record_values import entity, published, revision
from tests.support.stores import SITE_RECORDS, open_site_records

SITE = entity("docs")


@pytest.fixture(params=SITE_RECORDS)
async def records(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SiteRecords]:
    server = request.getfixturevalue("postgresql_server") if request.param == "postgresql" else None
    async with open_site_records(request.param, tmp_path, server) as opened:
        yield opened


async def test_revisions_are_listed_newest_first_page_by_page(records: SiteRecords) -> None:
    clock = ManualClock()
    made = [revision(SITE, f"of {number}", create_time=clock.advance(number % 2)) for number in range(7)]
    await _publish_all(records, made)
    newest_first = sorted(made, key=lambda one: (one.create_time, one.revision), reverse=True)
    assert await records.revisions(SITE, after=None, limit=100) == newest_first
    listed: list[Revision] = []
    while page := await records.revisions(
        SITE, after=(listed[-1].create_time, listed[-1].revision) if listed else None, limit=2
    ):
        assert len(page) <= 2
        listed += page
    assert listed == newest_first


async def test_newer_revisions_do_not_shift_the_pages(records: SiteRecords) -> None:
    made = [revision(SITE, f"of {number}") for number in range(4)]
    pointer = await _publish_all(records, made)
    page = await records.revisions(SITE, after=None, limit=2)
    await published(records, revision(SITE, "newer", create_time=NOON + timedelta(hours=1)), expected=pointer)
    rest = await records.revisions(SITE, after=(page[-1].create_time, page[-1].revision), limit=10)
    assert [*page, *rest] == sorted(made, key=lambda one: one.revision, reverse=True)


async def test_sites_are_listed_in_the_order_of_their_entities_page_by_page(records: SiteRecords) -> None:
    names = ["a", "a-b", "a.b", "a_b", "a0", "ab", "b"]
    entities = [
        entity(name, namespace=namespace, kind=kind)
        for namespace in ("default", "other-team", "otherteam")
        for kind in ("api", "component")
        for name in names
    ]
    for one in entities:
        await published(records, revision(one, "first"))
    assert [site.entity for site in await _all_sites(records)] == sorted(entities)
    listed: list[EntityRef] = []
    while page := await records.sites(namespace=None, kind=None, after=listed[-1] if listed else None, limit=5):
        assert len(page) <= 5
        listed += [site.entity for site in page]
    assert listed == sorted(entities)


async def test_sites_are_chosen_by_namespace_and_kind(records: SiteRecords) -> None:
    entities = [
        entity(name, namespace=namespace, kind=kind)
        for namespace in ("default", "other")
        for kind in ("api", "component")
        for name in ("one", "two")
    ]
    for one in entities:
        await published(records, revision(one, "first"))
    of_namespace = await records.sites(namespace="other", kind=None, after=None, limit=10)
    assert [site.entity for site in of_namespace] == [one for one in entities if one.namespace == "other"]
    of_kind = await records.sites(namespace=None, kind="api", after=None, limit=10)
    assert [site.entity for site in of_kind] == [one for one in entities if one.kind == "api"]
    after = entity("one", namespace="other", kind="api")
    of_both = await records.sites(namespace="other", kind="api", after=after, limit=10)
    assert [site.entity for site in of_both] == [entity("two", namespace="other", kind="api")]


async def test_paging_goes_on_after_a_site_that_was_deleted(records: SiteRecords) -> None:
    pointers = {name: await published(records, revision(entity(name), "first")) for name in ("a", "b", "c")}
    await records.delete_site(entity("b"), expected=pointers["b"], now=NOON)
    rest = await records.sites(namespace=None, kind=None, after=entity("b"), limit=10)
    assert [site.entity.name for site in rest] == ["c"]


async def _publish_all(records: SiteRecords, made: list[Revision]) -> SitePointer:
    pointer: SitePointer | None = None
    for one in made:
        pointer = await published(records, one, expected=pointer)
    assert pointer is not None
    return pointer


async def _all_sites(records: SiteRecords) -> list[Site]:
    return list(await records.sites(namespace=None, kind=None, after=None, limit=1000))
