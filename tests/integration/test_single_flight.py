"""Any number of syncs of one entity share one build."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
from techdocs.v1 import builds_pb2, builds_pb2_grpc, entity_pb2

from tests.support.holding import HoldingToolchain, holding_plugins, says_held
from tests.support.services import running
from tests.support.sites import mkdocs_config, write_files, write_source
from tests.support.waiting import eventually

ENTITY = entity_pb2.EntityRef(kind="component", name="demo")
CALLERS = 1000
MOST_GROWTH_BYTES = 50 * 1024**2


def resident_bytes(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"/proc has no {field}")


async def test_a_thousand_syncs_at_once_are_one_build_and_little_memory(tmp_path: Path) -> None:
    catalog, toolchain = write_source(tmp_path / "source"), HoldingToolchain(tmp_path / "toolchain")
    config = mkdocs_config("Demo", plugins=holding_plugins(toolchain.gate))
    write_files(tmp_path / "source", {"mkdocs.yml": config})
    async with (
        running("server", tmp_path, catalog=catalog, log_level="warning", **toolchain.settings) as service,
        grpc.aio.insecure_channel(service.grpc) as channel,
    ):
        stub = builds_pb2_grpc.BuildServiceStub(channel)
        await stub.ListBuilds(builds_pb2.ListBuildsRequest(), timeout=10)
        before = resident_bytes(service.process.pid, "VmRSS")
        request = builds_pb2.SyncSiteRequest(entity=ENTITY)
        toolchain.gate.touch()
        calls = [asyncio.ensure_future(stub.SyncSite(request, timeout=120)) for _ in range(CALLERS)]
        workspaces = tmp_path / "data" / "workspaces"
        await eventually(lambda: says_held(workspaces), timeout_seconds=60, what="the build is held")
        toolchain.gate.unlink()
        answers = await asyncio.gather(*calls)
        peak = resident_bytes(service.process.pid, "VmHWM")
        builds = (await stub.ListBuilds(builds_pb2.ListBuildsRequest(), timeout=10)).builds
        assert len(builds) == 1
        assert {answer.revision for answer in answers} == {builds[0].revision}
        # Who came after the end hears that the site is up to date.
        assert any(answer.updated for answer in answers)
        assert peak - before < MOST_GROWTH_BYTES


async def test_a_hundred_streams_of_one_build_all_hear_everything(tmp_path: Path) -> None:
    catalog = write_source(tmp_path / "source")
    async with (
        running("server", tmp_path, catalog=catalog, log_level="warning") as service,
        grpc.aio.insecure_channel(service.grpc) as channel,
    ):
        stub = builds_pb2_grpc.BuildServiceStub(channel)

        async def follow() -> tuple[list[int], bool]:
            sequences, ended = [], False
            async for message in stub.StreamSync(builds_pb2.StreamSyncRequest(entity=ENTITY), timeout=120):
                assert not ended, "nothing follows a result"
                if message.HasField("event"):
                    sequences.append(message.event.sequence)
                ended = message.HasField("result")
            return sequences, ended

        heard = await asyncio.gather(*(follow() for _ in range(100)))
        assert len({tuple(sequences) for sequences, _ in heard}) == 1
        sequences, _ = heard[0]
        assert sequences == list(range(1, len(sequences) + 1))
        assert all(ended for _, ended in heard)
