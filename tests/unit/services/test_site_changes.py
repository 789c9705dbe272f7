"""Followers of changes hear of all of them, in order, from where they want."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from techdocs_server.adapters.records.memory import MemorySiteRecords
from techdocs_server.domain.change import SiteChange
from techdocs_server.domain.errors import ServerDraining
from techdocs_server.services.site_changes import SiteChanges, SiteFilter

from tests.support.record_values import entity, published, revision

EVERYTHING = SiteFilter()


async def moved(sites: MemorySiteRecords, name: str) -> None:
    await published(sites, revision(entity(name), "first"))


async def changes_of(stream: AsyncIterator[SiteChange | int], count: int) -> list[str]:
    """Return the names of the next sites that changed."""
    names: list[str] = []
    async with asyncio.timeout(10):
        async for item in stream:
            if isinstance(item, SiteChange):
                names.append(item.entity.name)
                if len(names) == count:
                    break
    return names


async def test_follower_hears_what_comes_from_now_on_at_once() -> None:
    sites = MemorySiteRecords()
    changes = SiteChanges(sites.changes, heartbeat_seconds=60)
    await moved(sites, "before")
    stream = changes.watch(after_sequence=None, only=EVERYTHING)
    assert await anext(stream) == 1
    following = asyncio.create_task(changes_of(stream, 2))
    for name in ("one", "two"):
        await moved(sites, name)
        changes.heard()
    assert await following == ["one", "two"]


async def test_follower_that_comes_back_misses_nothing() -> None:
    sites = MemorySiteRecords()
    changes = SiteChanges(sites.changes)
    for name in ("one", "two", "three"):
        await moved(sites, name)
    assert await changes_of(changes.watch(after_sequence=0, only=EVERYTHING), 3) == ["one", "two", "three"]
    assert await changes_of(changes.watch(after_sequence=2, only=EVERYTHING), 1) == ["three"]


async def test_change_that_nobody_told_of_is_found_at_the_next_heartbeat() -> None:
    sites = MemorySiteRecords()
    stream = SiteChanges(sites.changes, heartbeat_seconds=0.05).watch(after_sequence=None, only=EVERYTHING)
    assert [await anext(stream), await anext(stream)] == [0, 0]
    await moved(sites, "one")
    assert await changes_of(stream, 1) == ["one"]


async def test_only_wanted_sites_are_told_and_heartbeats_go_past_the_others() -> None:
    sites = MemorySiteRecords()
    for namespace, name in (("a", "one"), ("b", "two"), ("a", "three")):
        await published(sites, revision(entity(name, namespace=namespace), "first"))
    changes = SiteChanges(sites.changes, heartbeat_seconds=0.05)
    wanted = changes.watch(after_sequence=0, only=SiteFilter(namespace="A", kind="Component"))
    assert await changes_of(wanted, 2) == ["one", "three"]
    other = changes.watch(after_sequence=0, only=SiteFilter(name="four"))
    assert [await anext(other), await anext(other)] == [0, 3]


async def test_follower_of_a_server_that_stops_is_sent_on() -> None:
    sites = MemorySiteRecords()
    changes = SiteChanges(sites.changes, heartbeat_seconds=60)
    stream = changes.watch(after_sequence=None, only=EVERYTHING)
    await anext(stream)
    waiting = asyncio.create_task(changes_of(stream, 1))
    await asyncio.sleep(0)
    changes.close()
    with pytest.raises(ServerDraining):
        await waiting
