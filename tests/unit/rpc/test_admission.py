import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from techdocs.v1 import builds_pb2, docs_pb2

from tests.support.rpc_client import problem, problem_at_end
from tests.support.waiting import eventually
from tests.unit.rpc.real_server import DEMO, Served, served


class Gate:
    """Holds the calls that come to it."""

    def __init__(self) -> None:
        self.entered = 0
        self.cancelled = 0
        self.open = asyncio.Event()

    async def __call__(self) -> None:
        self.entered += 1
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


@asynccontextmanager
async def full(folder: Path) -> AsyncIterator[tuple[Served, Gate, asyncio.Task[docs_pb2.GetContentResponse]]]:
    """Run a server with one place, which a call holds."""
    async with served(folder, max_concurrent_calls=1) as service:
        await service.publish(index="one")
        gate = Gate()
        service.docs.before = gate
        call = asyncio.create_task(service.get())
        await eventually(lambda: gate.entered, what="the call is being served")
        yield service, gate, call


async def test_a_call_too_many_is_refused_and_told_when_to_come_back(tmp_path: Path) -> None:
    async with full(tmp_path) as (service, gate, call):
        refusal = await problem(service.get())
        gate.open.set()
        await call
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "SERVER_OVERLOADED")
        assert refusal.retry_seconds == 1.0
        assert gate.entered == 1


async def test_a_stream_too_many_is_refused_too(tmp_path: Path) -> None:
    async with full(tmp_path) as (service, gate, call):
        stream = service.client.docs.ReadContent(docs_pb2.ReadContentRequest(entity=DEMO, path="index.html"))
        messages, refusal = await problem_at_end(stream)
        gate.open.set()
        await call
        assert (messages, refusal.reason, refusal.retry_seconds) == ([], "SERVER_OVERLOADED", 1.0)


async def test_the_place_is_free_when_its_call_has_ended(tmp_path: Path) -> None:
    async with full(tmp_path) as (service, gate, call):
        gate.open.set()
        await call
        for _ in range(5):
            assert (await service.get()).body.data == b"one"


async def test_the_place_is_free_when_its_caller_has_gone(tmp_path: Path) -> None:
    async with full(tmp_path) as (service, gate, call):
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        await eventually(lambda: gate.cancelled, what="the server noticed")
        gate.open.set()
        assert (await service.get()).body.data == b"one"


async def test_the_place_is_free_when_its_call_has_crashed(tmp_path: Path) -> None:
    async with served(tmp_path, max_concurrent_calls=1) as service:
        await service.publish(index="one")

        async def crash() -> None:
            raise RuntimeError("broken")

        service.docs.before = crash
        for _ in range(3):
            assert (await problem(service.get())).reason == "INTERNAL"


async def test_callers_that_wait_for_builds_take_no_place_of_readers(tmp_path: Path) -> None:
    async with served(tmp_path, max_concurrent_calls=1) as service:
        await service.publish(index="one")
        service.pipeline.write(index="two")
        service.pipeline.generator.started.clear()
        service.pipeline.generator.gate.clear()
        waiting = [asyncio.create_task(service.sync()) for _ in range(16)]
        await service.pipeline.generator.started.wait()
        assert (await service.get()).body.data == b"one"
        service.pipeline.generator.gate.set()
        assert len({answer.revision for answer in await asyncio.gather(*waiting)}) == 1


async def test_waiting_has_a_bound_as_well(tmp_path: Path) -> None:
    async with served(tmp_path, max_concurrent_calls=1) as service:
        service.pipeline.write(index="one")
        service.pipeline.generator.gate.clear()
        first = asyncio.create_task(service.sync())
        await service.pipeline.generator.started.wait()
        build = (await service.client.builds.ListBuilds(builds_pb2.ListBuildsRequest())).builds[0].name
        watches = [service.client.builds.WatchBuild(builds_pb2.WatchBuildRequest(name=build)) for _ in range(15)]
        for watch in watches:
            await watch.read()
        refusal = await problem(service.sync())
        service.pipeline.generator.gate.set()
        await first
        assert (refusal.reason, refusal.retry_seconds) == ("SERVER_OVERLOADED", 1.0)


async def test_a_stop_lets_the_running_call_finish_and_ends_the_waiting_ones(service: Served) -> None:
    await service.publish(index="one")
    gate = Gate()
    service.docs.before = gate
    reading = asyncio.create_task(service.get())
    await eventually(lambda: gate.entered, what="the call is being served")
    service.pipeline.write(index="two")
    service.pipeline.generator.started.clear()
    service.pipeline.generator.gate.clear()
    syncing = asyncio.create_task(service.sync())
    await service.pipeline.generator.started.wait()
    build = (await service.client.builds.ListBuilds(builds_pb2.ListBuildsRequest())).builds[0].name
    watch = aiter(service.client.builds.WatchBuild(builds_pb2.WatchBuildRequest(name=build)))
    await anext(watch)

    stopping = asyncio.create_task(service.server.stop(grace_seconds=20, end_streams=service.pipeline.events.close))
    refusal = await problem(syncing)
    _, ended = await problem_at_end(watch)
    assert not stopping.done()
    gate.open.set()
    assert (await reading).body.data == b"one"
    await stopping
    service.pipeline.generator.gate.set()
    assert {refusal.reason, ended.reason} == {"SERVER_DRAINING"}
    assert {refusal.code, ended.code} == {grpc.StatusCode.UNAVAILABLE}
    assert refusal.retry_seconds == 1.0


@pytest.mark.parametrize("grace_seconds", [0.0, 0.2])
async def test_a_call_longer_than_the_grace_is_cancelled(service: Served, grace_seconds: float) -> None:
    await service.publish(index="one")
    gate = Gate()
    service.docs.before = gate
    reading = asyncio.create_task(service.get())
    await eventually(lambda: gate.entered, what="the call is being served")
    await service.server.stop(grace_seconds=grace_seconds, end_streams=service.pipeline.events.close)
    assert (await problem(reading)).code in {grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE}
    await eventually(lambda: gate.cancelled, what="the servicer was cancelled")
