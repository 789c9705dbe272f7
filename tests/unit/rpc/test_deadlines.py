import asyncio
from collections.abc import Callable, Coroutine

import grpc
import pytest
from techdocs.v1 import builds_pb2, docs_pb2

from tests.support.rpc_client import Problem, problem, problem_at_end
from tests.support.waiting import eventually
from tests.unit.rpc.real_server import DEMO, Served
from tests.unit.rpc.test_admission import Gate

WORKING_SECONDS = 300
LONG_SECONDS = 3600


class LoopClock:
    """The clock of the running loop, which a test puts forward; timers that are due then ring at once.

    It is never put back: what was set meanwhile would ring too late.
    """

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._ahead_seconds = 0.0
        true_time = loop.time
        setattr(loop, "time", lambda: true_time() + self._ahead_seconds)  # noqa: B010 - mypy forbids to assign a method

    def put_forward(self, seconds: float) -> None:
        self._ahead_seconds += seconds
        # A loop that sleeps does not see that its clock has changed.
        asyncio.get_running_loop().call_soon(lambda: None)


async def ended_after(
    call: Coroutine[object, object, Problem], is_served: Callable[[], object], *, seconds: float
) -> Problem:
    """Start a call, see that it still runs ten seconds before its time, and return how it ends at its time."""
    clock = LoopClock()
    task = asyncio.create_task(call)
    await eventually(is_served, what="the call is being served")
    clock.put_forward(seconds - 10)
    for _ in range(20):
        await asyncio.sleep(0.01)
    assert not task.done()
    clock.put_forward(11)
    await eventually(task.done, what="the call has ended")
    return await task


@pytest.fixture
async def gate(service: Served) -> Gate:
    """What holds the readers of a published site."""
    await service.publish(index="one")
    service.docs.before = Gate()
    return service.docs.before


async def test_a_call_without_a_deadline_gets_the_one_of_the_server(service: Served, gate: Gate) -> None:
    refusal = await ended_after(problem(service.get()), lambda: gate.entered, seconds=WORKING_SECONDS)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
    assert "300 seconds" in refusal.message
    assert gate.cancelled == 1


async def test_a_long_download_has_an_hour(service: Served, gate: Gate) -> None:
    async def download() -> Problem:
        stream = service.client.docs.ReadContent(docs_pb2.ReadContentRequest(entity=DEMO, path="index.html"))
        messages, refusal = await problem_at_end(stream)
        assert messages == []
        return refusal

    refusal = await ended_after(download(), lambda: gate.entered, seconds=LONG_SECONDS)
    assert refusal.reason == "DEADLINE_EXCEEDED"
    await eventually(lambda: gate.cancelled, what="the servicer was cancelled")


async def test_who_waits_for_a_build_has_an_hour_and_the_build_goes_on(service: Served) -> None:
    service.pipeline.write(index="one")
    service.pipeline.generator.gate.clear()
    refusal = await ended_after(
        problem(service.sync()), service.pipeline.generator.started.is_set, seconds=LONG_SECONDS
    )
    service.pipeline.generator.gate.set()
    assert refusal.reason == "DEADLINE_EXCEEDED"
    assert (await service.sync()).revision
    assert service.pipeline.generator.runs == 1


async def test_the_deadline_of_the_caller_counts_when_it_is_sooner(service: Served, gate: Gate) -> None:
    refusal = await problem(service.get(timeout=0.2))
    assert refusal.code is grpc.StatusCode.DEADLINE_EXCEEDED
    await eventually(lambda: gate.cancelled, what="the servicer was cancelled")


async def test_a_deadline_that_has_passed_starts_no_build(service: Served) -> None:
    service.pipeline.write(index="one")
    refusal = await problem(service.client.builds.SyncSite(builds_pb2.SyncSiteRequest(entity=DEMO), timeout=-1))
    assert refusal.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert not (await service.client.builds.ListBuilds(builds_pb2.ListBuildsRequest())).builds
