"""The database goes away, and comes back: reading goes on, and then everything does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import grpc
import psycopg
import pytest
from techdocs.v1 import builds_pb2, docs_pb2
from techdocs_server.adapters.queue.procrastinate import ProcrastinateBuildQueue
from techdocs_server.adapters.queue.procrastinate_schema import upgrade_queue
from techdocs_server.adapters.records.engine import SqlDatabase

from tests.support.postgresql import PostgreSQL, own_postgresql
from tests.support.replicas import Replica, Replicas, replicas
from tests.support.rpc_client import component, problem
from tests.support.seaweedfs import SeaweedFS
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def module_database() -> Iterator[PostgreSQL]:
    with own_postgresql() as server:
        yield server


@pytest.fixture
def database(module_database: PostgreSQL) -> Iterator[PostgreSQL]:
    """A server that the test may stop."""
    yield module_database
    if module_database.process is None:
        module_database.start()


@pytest.fixture
async def site(tmp_path: Path, s3_server: SeaweedFS, database: PostgreSQL) -> AsyncIterator[Replicas]:
    async with replicas(tmp_path, s3_server, database) as made:
        yield made


async def unavailable(server: Replica, name: str) -> bool:
    failed = await problem(server.sync(name))
    return (failed.code, failed.reason) == (grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE")


async def works(server: Replica, name: str) -> bool:
    """Whether a sync is answered. What it fails with meanwhile must be the store's."""
    try:
        await server.sync(name)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNAVAILABLE:
            return False
        raise
    return True


async def test_reading_goes_on_while_the_database_is_down_and_everything_does_after_it(
    site: Replicas, database: PostgreSQL
) -> None:
    site.add("read", "synced", "other")
    server = await site.start("server", "server")
    second = await site.start("server", "second")
    await site.start("worker", "worker")
    for name in ("read", "synced"):
        assert (await server.sync(name)).updated
    assert "generation-0" in await server.page("read")
    # Nobody has read this one here: all that the server knows of it is the pointer.
    await server.sync("synced")

    database.stop()
    began = time.monotonic()
    for _ in range(20):
        assert "generation-0" in await server.page("read")
        assert "generation-0" in await server.page("synced")
    assert time.monotonic() - began < 5
    # A source that is as the last known pointer says needs no record; everything else does.
    assert not (await server.sync("read")).updated
    site.edit("read", 1)
    assert await unavailable(server, "read")
    assert await unavailable(server, "other")
    missing = await problem(server.client.docs.GetContent(docs_pb2.GetContentRequest(entity=component("other"))))
    assert missing.reason == "STORAGE_UNAVAILABLE", "what cannot be asked for is not called missing"
    assert "generation-0" in await server.page("read")

    database.start()
    back = time.monotonic()
    await eventually(lambda: works(server, "read"), timeout_seconds=20, what="the worker builds again")
    assert time.monotonic() - back < 20
    # The other server hears of it: its feed listens again.
    for each in (server, second):

        async def is_new(replica: Replica = each) -> bool:
            return "generation-1" in await replica.page("read")

        await eventually(is_new, timeout_seconds=10, what=f"{each.name} serves the new revision")
    build = await second.create("other")
    events = [
        message.event
        async for message in server.client.builds.WatchBuild(builds_pb2.WatchBuildRequest(name=build.name))
    ]
    assert events[-1].state_change.state == builds_pb2.BUILD_STATE_SUCCEEDED


async def test_worker_stops_while_the_database_is_down(database: PostgreSQL) -> None:
    url = database.new_database()
    records = SqlDatabase(url)
    await upgrade_queue(records)
    await records.close()
    queue = ProcrastinateBuildQueue(url.replace("+psycopg", ""), concurrency=1, limit=1)
    await queue.open()
    queue.start(_nothing)

    async def works() -> bool:
        async with await psycopg.AsyncConnection.connect(url.replace("+psycopg", "")) as connection:
            found = await connection.execute("SELECT 1 FROM procrastinate_workers")
            return await found.fetchone() is not None

    await eventually(works, what="the worker has told the database of itself")
    database.stop()
    async with asyncio.timeout(30):
        await queue.stop()
        await queue.close()


async def _nothing(build_id: str, was_cancelled: Callable[[], bool]) -> None:
    """Run no build."""
