import asyncio

import pytest
from techdocs_server.services.coalescing import Coalescing


async def test_an_answer_is_never_older_than_its_question() -> None:
    world = 0
    seen: list[int] = []

    async def look(_key: str) -> int:
        answer = world
        await asyncio.sleep(0.01)
        seen.append(answer)
        return answer

    shared = Coalescing(look)
    first = asyncio.create_task(shared.ask("a"))
    await asyncio.sleep(0.005)
    world = 1
    later = await asyncio.gather(*(shared.ask("a") for _ in range(50)))
    assert (await first, set(later), seen) == (0, {1}, [0, 1])


async def test_keys_do_not_wait_for_each_other() -> None:
    gate = asyncio.Event()

    async def look(key: str) -> str:
        if key == "slow":
            await gate.wait()
        return key

    shared = Coalescing(look)
    slow = asyncio.create_task(shared.ask("slow"))
    assert await shared.ask("fast") == "fast"
    gate.set()
    assert await slow == "slow"


async def test_an_error_is_shared_and_forgotten() -> None:
    calls = 0

    async def look(_key: str) -> int:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ValueError("no")
        return calls

    shared = Coalescing(look)
    with pytest.raises(ValueError, match="no"):
        await shared.ask("a")
    assert await shared.ask("a") == 2


async def test_who_leaves_stops_nothing() -> None:
    gate = asyncio.Event()

    async def look(_key: str) -> int:
        await gate.wait()
        return 1

    shared = Coalescing(look)
    leaving, staying = asyncio.create_task(shared.ask("a")), asyncio.create_task(shared.ask("a"))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.sleep(0)
    gate.set()
    assert await staying == 1
