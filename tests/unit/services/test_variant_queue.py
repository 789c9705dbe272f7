"""The order and the bounds of what may lack variants."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.entity import EntityRef
from techdocs_server.services.variant_queue import VariantQueue


def site(number: int) -> EntityRef:
    return EntityRef("default", "component", f"site-{number}")


def files(count: int, *, of: str = "", kind: str = "html") -> dict[str, Digest]:
    return {
        f"{of}{number}.{kind}": Digest(hashlib.sha256(f"{of}{number}".encode()).hexdigest(), 5000)
        for number in range(count)
    }


def taken(queue: VariantQueue) -> list[Digest]:
    found: list[Digest] = []
    while not queue.is_empty:
        found += queue.take()[1]
    return found


async def is_filled(queue: VariantQueue) -> bool:
    filled = asyncio.ensure_future(queue.filled())
    await asyncio.sleep(0)
    if not filled.done():
        filled.cancel()
        return False
    return True


async def test_each_blob_comes_once_and_in_steps() -> None:
    queue, pages = VariantQueue(), files(200)
    queue.add(site(1), {**pages, "copy.html": pages["0.html"]}, before={})
    steps = []
    while not queue.is_empty:
        steps.append(len(queue.take()[1]))
    assert sum(steps) == 200
    assert max(steps) == 64


async def test_steps_are_bounded_where_nothing_is_compressible() -> None:
    queue = VariantQueue()
    queue.add(site(1), files(2500, kind="png"), before={})
    assert [(len(queue.take()[1]), queue.is_empty) for _ in range(3)] == [(0, False), (0, False), (0, True)]


async def test_it_is_filled_as_long_as_there_is_something_to_take() -> None:
    queue = VariantQueue()
    assert not await is_filled(queue)
    queue.add(site(1), files(100), before={})
    assert await is_filled(queue)
    work, _ = queue.take()
    assert work is not None
    assert await is_filled(queue)
    queue.drop(work)
    assert not await is_filled(queue)
    queue.want(next(iter(files(1).values())))
    assert await is_filled(queue)
    assert len(queue.take()[1]) == 1
    assert not await is_filled(queue)


async def test_dropping_old_work_keeps_what_the_site_has_anew() -> None:
    queue = VariantQueue()
    queue.add(site(1), files(100), before={})
    old, _ = queue.take()
    assert old is not None
    queue.add(site(1), files(100, of="new"), before={})
    queue.drop(old)
    assert taken(queue) == list(files(100, of="new").values())


async def test_what_readers_want_comes_before_the_newest_site() -> None:
    queue = VariantQueue()
    [wanted] = files(1, of="wanted").values()
    queue.want(wanted)
    queue.add(site(1), files(1), before={})
    queue.want(wanted)
    assert taken(queue) == [wanted, *files(1).values()]


@pytest.mark.parametrize(("sites", "kept"), [(1, 1), (2, 2), (3, 2), (4, 2)])
async def test_too_much_work_drops_the_oldest_sites(sites: int, kept: int) -> None:
    queue, pages = VariantQueue(), files(90_000)
    for number in range(sites):
        queue.add(site(number), pages, before={})
    order = []
    while not queue.is_empty:
        work, _ = queue.take()
        assert work is not None
        order.append(work.entity)
        queue.drop(work)
    assert order == [site(number) for number in reversed(range(sites))][:kept]


async def test_a_site_too_large_for_the_bound_is_kept_when_it_is_the_newest() -> None:
    queue = VariantQueue()
    queue.add(site(1), files(5), before={})
    queue.add(site(2), files(200_001), before={})
    assert queue.take()[0] is not None
    queue.add(site(3), files(5, of="x"), before={})
    assert taken(queue) == list(files(5, of="x").values())


async def test_readers_cannot_want_without_bound() -> None:
    queue = VariantQueue()
    for digest in files(1500).values():
        queue.want(digest)
    assert len(taken(queue)) == 1000
