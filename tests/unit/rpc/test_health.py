import asyncio
import time

import grpc
import pytest
from grpc_health.v1 import health_pb2

from tests.support.rpc_client import problem
from tests.support.waiting import eventually
from tests.unit.rpc.real_server import Served

SERVICES = (
    "",
    "techdocs.v1.AdminService",
    "techdocs.v1.BuildService",
    "techdocs.v1.CapabilitiesService",
    "techdocs.v1.DocsService",
    "techdocs.v1.PublishService",
    "techdocs.v1.SiteService",
)


@pytest.mark.parametrize("name", SERVICES)
async def test_the_whole_and_each_service_say_that_they_serve(service: Served, name: str) -> None:
    answer = await service.client.check_health(health_pb2.HealthCheckRequest(service=name))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_a_service_that_is_not_ours_is_not_found(service: Served) -> None:
    refusal = await problem(service.client.check_health(health_pb2.HealthCheckRequest(service="techdocs.v1.Other")))
    assert refusal.code is grpc.StatusCode.NOT_FOUND


async def test_a_watcher_of_health_hears_of_the_stop(service: Served) -> None:
    watch = service.client.watch_health(health_pb2.HealthCheckRequest())
    first = await watch.read()
    stopping = asyncio.create_task(service.server.stop(grace_seconds=5, end_streams=service.pipeline.events.close))
    second = await watch.read()
    watch.cancel()
    await stopping
    assert isinstance(first, health_pb2.HealthCheckResponse)
    assert isinstance(second, health_pb2.HealthCheckResponse)
    assert (first.status, second.status) == (
        health_pb2.HealthCheckResponse.SERVING,
        health_pb2.HealthCheckResponse.NOT_SERVING,
    )


async def test_health_answers_within_a_second_while_every_place_is_taken(service: Served) -> None:
    await service.publish(index="one")
    held, entered = asyncio.Event(), 0

    async def hold() -> None:
        nonlocal entered
        entered += 1
        await held.wait()

    service.docs.before = hold
    calls = [asyncio.create_task(service.get()) for _ in range(100)]
    await eventually(lambda: entered == 100, what="every place is taken")
    assert (await problem(service.get())).reason == "SERVER_OVERLOADED"

    began = time.monotonic()
    for name in SERVICES:
        await service.client.check_health(health_pb2.HealthCheckRequest(service=name))
    assert time.monotonic() - began < 1.0

    held.set()
    await asyncio.gather(*calls)
