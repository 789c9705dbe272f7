"""A check that one server made answers on every other, over one PostgreSQL and one bucket."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from techdocs.v1 import builds_pb2

from tests.support.postgresql import PostgreSQL
from tests.support.replicas import Replica, Replicas, replicas
from tests.support.rpc_client import collected, component, problem_at_end
from tests.support.seaweedfs import SeaweedFS
from tests.support.waiting import eventually


@pytest.fixture
async def site(tmp_path: Path, s3_server: SeaweedFS, postgresql_server: PostgreSQL) -> AsyncIterator[Replicas]:
    async with replicas(tmp_path, s3_server, postgresql_server) as made:
        yield made


async def opened(server: Replica, name: str, *, seconds: int = 3600) -> list[builds_pb2.StreamSyncResponse]:
    """Sync as somebody who opens a page; an hour for a minute, since machines may be slow."""
    request = builds_pb2.StreamSyncRequest(entity=component(name), max_check_age=Duration(seconds=seconds))
    return await collected(server.client.builds.StreamSync(request))


async def test_one_servers_check_answers_on_the_other_and_an_edit_is_live_for_who_looks(site: Replicas) -> None:
    site.add("demo")
    first = await site.start("server", "first")
    second = await site.start("server", "second")
    await site.start("worker", "worker")

    built = await opened(first, "demo")
    assert built[-1].result.updated
    assert [message.HasField("result") for message in built].count(True) == 1

    site.edit("demo", 1)
    # The source is not looked at, here and there: it would be found changed.
    for server in (second, first):
        [answer] = await opened(server, "demo")
        assert (answer.result.updated, answer.result.revision, answer.build) == (False, built[-1].result.revision, "")
    assert "generation-0" in await second.page("demo")

    # Whoever asks for an exact answer gets one, and that is a check for everybody again.
    assert (await second.sync("demo")).updated
    site.edit("demo", 2)

    async def first_knows() -> bool:
        # The other server hears of the new pointer by a notice, a moment later. Until then it would build the edit.
        return "generation-1" in await first.page("demo")

    await eventually(first_knows, what="the first server serves the new revision")
    [answer] = await opened(first, "demo")
    assert not answer.result.updated
    assert (await opened(second, "demo", seconds=0))[-1].result.updated
    assert "generation-2" in await second.page("demo")


async def test_failed_build_is_no_check_on_any_server(site: Replicas) -> None:
    site.add("demo")
    first = await site.start("server", "first")
    second = await site.start("server", "second")
    await site.start("worker", "worker")
    (site.catalog.folder / "demo/mkdocs.yml").write_text("site_name: [\n")
    for server in (first, second, first):
        request = builds_pb2.StreamSyncRequest(entity=component("demo"), max_check_age=Duration(seconds=3600))
        _, failed = await problem_at_end(server.client.builds.StreamSync(request))
        assert (failed.reason, failed.metadata["cause"]) == ("BUILD_FAILED", "CONFIG_INVALID")


async def test_check_is_known_after_the_server_that_made_it_is_gone(site: Replicas) -> None:
    site.add("demo")
    first = await site.start("server", "first")
    worker = await site.start("worker", "worker")
    revision = (await opened(first, "demo"))[-1].result.revision
    os.kill(first.service.process.pid, signal.SIGKILL)
    await worker.service.kill()
    site.edit("demo", 1)
    second = await site.start("server", "second")
    # Nobody could build it now.
    [answer] = await opened(second, "demo")
    assert (answer.result.updated, answer.result.revision) == (False, revision)
