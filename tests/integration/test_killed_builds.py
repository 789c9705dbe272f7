"""A build child that is killed at any moment leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from pathlib import Path

import grpc
from techdocs.v1 import builds_pb2, builds_pb2_grpc, entity_pb2

from tests.support.launchers import left_by_builds
from tests.support.processes import builds_of
from tests.support.services import RunningService, running
from tests.support.sites import write_source
from tests.support.waiting import eventually

ENTITY = entity_pb2.EntityRef(kind="component", name="demo")
MOMENTS = 20
PAGES = 60
# Of the time that a build takes on this machine.
EARLIEST, LATEST = 0.1, 0.8
ENDINGS = {builds_pb2.BUILD_STATE_SUCCEEDED, builds_pb2.BUILD_STATE_FAILED}


async def kill_builds(service: RunningService) -> bool:
    """Kill what builds for the server; return whether there was something."""
    pids = builds_of(service.process.pid)
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return bool(pids)


async def test_a_child_killed_at_any_moment_leaves_no_folder_no_process_and_no_lock(tmp_path: Path) -> None:
    catalog = write_source(tmp_path / "source")
    for number in range(PAGES):
        (tmp_path / "source" / "docs" / f"page{number}.md").write_text(f"# Page {number}\n\n" + "Some *text*.\n\n" * 50)
    workspaces = tmp_path / "data" / "workspaces"
    moments = random.Random(20261124)
    async with (
        running("server", tmp_path, catalog=catalog, log_level="warning") as service,
        grpc.aio.insecure_channel(service.grpc) as channel,
    ):
        stub = builds_pb2_grpc.BuildServiceStub(channel)
        first = await stub.SyncSite(builds_pb2.SyncSiteRequest(entity=ENTITY), timeout=60)
        begun = time.monotonic()
        await stub.SyncSite(builds_pb2.SyncSiteRequest(entity=ENTITY, force=True), timeout=60)
        seconds = time.monotonic() - begun
        killed = 0
        for _ in range(MOMENTS):
            created = await stub.CreateBuild(builds_pb2.CreateBuildRequest(entity=ENTITY, force=True), timeout=10)
            await asyncio.sleep(seconds * moments.uniform(EARLIEST, LATEST))
            killed += await kill_builds(service)
            watch = stub.WatchBuild(builds_pb2.WatchBuildRequest(name=created.build.name), timeout=60)
            events = [message.event async for message in watch if message.HasField("event")]
            last = events[-1].state_change
            assert last.state in ENDINGS
            if last.state == builds_pb2.BUILD_STATE_FAILED:
                assert "killed by signal 9" in last.failure.message

            async def is_clean() -> bool:
                return not builds_of(service.process.pid) and not left_by_builds(workspaces)

            await eventually(is_clean, what="the build's folder and processes to be gone")
        assert killed >= MOMENTS // 2, "the moments must hit builds"
        again = await stub.SyncSite(builds_pb2.SyncSiteRequest(entity=ENTITY, force=True), timeout=60)
        assert again.revision == first.revision
