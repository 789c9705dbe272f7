"""A build that is cancelled stops at once."""

from __future__ import annotations

import time
from pathlib import Path

import grpc
from techdocs.v1 import builds_pb2, builds_pb2_grpc, entity_pb2

from tests.support.launchers import left_by_builds
from tests.support.processes import builds_of
from tests.support.services import running
from tests.support.sites import write_source
from tests.support.waiting import eventually

ENTITY = entity_pb2.EntityRef(kind="component", name="demo")
MOST_SECONDS = 1.0
# Enough that MkDocs is busy for much longer than the test looks at it.
PAGES = 400


async def test_cancelling_ends_the_child_within_a_second(tmp_path: Path) -> None:
    catalog = write_source(tmp_path / "source")
    for number in range(PAGES):
        (tmp_path / "source" / "docs" / f"page{number}.md").write_text(f"# Page {number}\n\n" + "Some text.\n\n" * 50)
    async with (
        running("server", tmp_path, catalog=catalog, log_level="warning") as service,
        grpc.aio.insecure_channel(service.grpc) as channel,
    ):
        stub = builds_pb2_grpc.BuildServiceStub(channel)
        build = (await stub.CreateBuild(builds_pb2.CreateBuildRequest(entity=ENTITY), timeout=10)).build

        async def is_generating() -> bool:
            current = (await stub.GetBuild(builds_pb2.GetBuildRequest(name=build.name), timeout=10)).build
            return current.state == builds_pb2.BUILD_STATE_GENERATING and bool(builds_of(service.process.pid))

        await eventually(is_generating, what="MkDocs to run")
        began = time.monotonic()
        await stub.CancelBuild(builds_pb2.CancelBuildRequest(name=build.name), timeout=10)
        await eventually(lambda: not builds_of(service.process.pid), what="the child to be gone")
        assert time.monotonic() - began < MOST_SECONDS
        ended = (await stub.GetBuild(builds_pb2.GetBuildRequest(name=build.name), timeout=10)).build
        assert ended.state == builds_pb2.BUILD_STATE_CANCELLED
        assert not left_by_builds(tmp_path / "data" / "workspaces")
