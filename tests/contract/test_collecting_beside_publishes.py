"""A collection beside publishes: whichever of them waits at whichever step, what is published is whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar, cast

import pytest
from techdocs_server.domain.digest import Digest
from techdocs_server.ports.blobs import SweepableBlobStore

from tests.support.blob_content import stored
from tests.support.collecting import WORLDS, World, opened_world
from tests.support.record_values import entity

T = TypeVar("T")
Pause = Callable[[], Awaitable[None]]


@pytest.fixture(params=WORLDS)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with opened_world(request.param, tmp_path, request) as opened:
        yield opened


class Steps:
    """Counts the calls that go through it to any store, and pauses in front of one, or behind it."""

    def __init__(self, at: int, pause: Pause, *, after: bool) -> None:
        self.count = 0
        self._at, self._pause, self._after = at, pause, after

    async def around(self, call: Awaitable[T]) -> T:
        self.count += 1
        turn = self.count == self._at
        if turn and not self._after:
            await self._pause()
        answer = await call
        if turn and self._after:
            await self._pause()
        return answer

    def of(self, inner: T) -> T:
        return cast(T, _Stepping(inner, self))


class _Stepping:
    """A store each of whose calls is a step."""

    def __init__(self, inner: object, steps: Steps) -> None:
        self._inner, self._steps = inner, steps

    def __getattr__(self, name: str) -> object:
        method = getattr(self._inner, name)
        if name in ("get", "collecting"):
            return method
        if name == "stored":
            return self._stored

        def call(*arguments: object, **more: object) -> Awaitable[object]:
            return self._steps.around(method(*arguments, **more))

        return call

    async def _stored(self) -> AsyncIterator[object]:
        await self._steps.around(asyncio.sleep(0))
        async for blob in cast(SweepableBlobStore, self._inner).stored():
            yield blob


def publishing(world: World, steps: Steps) -> World:
    """Return the world as a publisher sees it, step by step."""
    return replace(
        world,
        blobs=steps.of(world.blobs),
        sites=steps.of(world.sites),
        leases=steps.of(world.leases),
    )


def collecting(world: World, steps: Steps) -> World:
    """Return the world as a collector sees it, step by step."""
    return replace(
        world,
        blobs=steps.of(world.blobs),
        dooming=steps.of(world.dooming),
        revisions=steps.of(world.revisions),
    )


PAGES = {f"{number}.html": b"page %d" % number for number in range(3)}


async def garbage(world: World, number: int) -> dict[str, bytes]:
    """Store pages of a site that nobody needs yet, and one that nobody ever will; return the first."""
    pages = {path: content + b" of site %d" % number for path, content in {"index.html": b"front", **PAGES}.items()}
    for content in (*pages.values(), b"rubbish %d" % number):
        await stored(world.blobs, content)
    return pages


async def checked(world: World, number: int, pages: dict[str, bytes]) -> None:
    assert await world.pages(entity(f"site-{number}")) == pages
    rubbish = Digest.of(b"rubbish %d" % number)
    await world.collect()
    assert await world.blobs.missing([rubbish]) == {rubbish}
    assert await world.pages(entity(f"site-{number}")) == pages


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_publish_that_waits_at_any_step_while_a_collection_runs_is_whole(world: World, after: bool) -> None:
    number = 0
    while True:
        number += 1
        pages = await garbage(world, number)

        async def collect() -> None:
            await world.collect()

        steps = Steps(number, collect, after=after)
        await publishing(world, steps).publish(entity(f"site-{number}"), pages)
        await checked(world, number, pages)
        if steps.count < number:
            break
    # Pointer, lease, missing, files, metadata, manifest, revision, pointer.
    assert number == 9


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_publish_while_a_collection_waits_at_any_step_is_whole(world: World, after: bool) -> None:
    number = 0
    while True:
        number += 1
        pages = await garbage(world, number)
        publish: list[asyncio.Task[str]] = []

        async def begin() -> None:
            publish.append(asyncio.create_task(world.publish(entity(f"site-{number}"), pages)))  # noqa: B023
            # It ends, or it waits for what is being deleted.
            await asyncio.wait(publish, timeout=0.3)  # noqa: B023

        steps = Steps(number, begin, after=after)
        await collecting(world, steps).collect()
        await asyncio.gather(*publish)
        if steps.count < number:
            break
        await checked(world, number, pages)
    # Revisions, leases that ended, revisions again, listing, doom, deletion, spare: each at least once.
    assert number >= 8


async def test_many_publishes_beside_collections_are_all_whole(world: World) -> None:
    published: dict[int, dict[str, bytes]] = {}

    async def publish(first: int) -> None:
        for number in range(first, first + 4):
            published[number] = await garbage(world, number)
            await world.publish(entity(f"site-{number}"), published[number])

    async def collect() -> None:
        while not done.is_set():
            await world.collect()
            await asyncio.sleep(0.005)

    done = asyncio.Event()
    collector = asyncio.create_task(collect())
    try:
        await asyncio.gather(*(publish(first) for first in (0, 100, 200)))
    finally:
        done.set()
        await collector
    for number, pages in published.items():
        assert await world.pages(entity(f"site-{number}")) == pages
