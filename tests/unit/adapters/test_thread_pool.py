"""Steps on threads, and what cancelling their callers does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
from techdocs_server.adapters.thread_pool import ThreadPool
from techdocs_server.domain.errors import StorageUnavailable

from tests.support.waiting import eventually


class Step:
    """Begins, waits for the test, and ends."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.may_end = threading.Event()
        self.ended = threading.Event()

    def __call__(self) -> None:
        self.began.set()
        assert self.may_end.wait(10)
        self.ended.set()


@pytest.fixture
async def pool() -> AsyncIterator[ThreadPool]:
    opened = ThreadPool(1, name="test")
    yield opened
    await opened.close()


def failing() -> None:
    raise KeyError("from the thread")


async def test_outcome_of_a_step_is_the_callers(pool: ThreadPool) -> None:
    assert await pool.run(divmod, 7, 2) == (3, 1)
    with pytest.raises(KeyError, match="from the thread"):
        await pool.run(failing)
    with pytest.raises(KeyError, match="from the thread"):
        await pool.run_to_end(failing)


async def test_cancelled_caller_waits_for_the_step_that_has_begun(pool: ThreadPool) -> None:
    step = Step()
    caller = asyncio.create_task(pool.run(step))
    await eventually(step.began.is_set, what="the step began")
    for _ in range(3):
        caller.cancel()
        await asyncio.sleep(0)
        assert not caller.done()
    step.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert step.ended.is_set()


async def test_step_of_a_cancelled_caller_that_has_not_begun_never_does(pool: ThreadPool) -> None:
    first, second = Step(), Step()
    callers = [asyncio.create_task(pool.run(step)) for step in (first, second)]
    await eventually(first.began.is_set, what="the first step began")
    callers[1].cancel()
    with pytest.raises(asyncio.CancelledError):
        await callers[1]
    first.may_end.set()
    await callers[0]
    await pool.close()
    assert not second.began.is_set()


async def test_clean_up_happens_although_its_caller_is_cancelled(pool: ThreadPool) -> None:
    first, clean_up = Step(), Step()
    clean_up.may_end.set()
    occupied = asyncio.create_task(pool.run(first))
    await eventually(first.began.is_set, what="the only thread is taken")
    caller = asyncio.create_task(pool.run_to_end(clean_up))
    await asyncio.sleep(0)
    caller.cancel()
    first.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert clean_up.ended.is_set()
    await occupied


async def test_closed_pool_is_unavailable(pool: ThreadPool) -> None:
    await pool.close()
    with pytest.raises(StorageUnavailable, match="closed"):
        await pool.run(divmod, 7, 2)
