"""The health checks of the deployment tell a process that serves from one that does not."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import httpx
import yaml

from tests.support.ports import free_port
from tests.support.services import running
from tests.support.sites import write_source
from tests.support.waiting import eventually

COMPOSE = Path(__file__).parents[2] / "deploy" / "compose.yaml"


async def says_well(service: str, listens: int, asked: int) -> bool:
    """Run the health check of a service, of a port on this machine."""
    check = yaml.safe_load(COMPOSE.read_text())["services"][service]["healthcheck"]["test"][3]
    assert f"127.0.0.1:{listens}" in check
    code = check.replace(f"127.0.0.1:{listens}", f"127.0.0.1:{asked}")
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stderr=asyncio.subprocess.DEVNULL)
    return await process.wait() == 0


async def test_health_checks_of_the_deployment_tell_who_serves(tmp_path: Path) -> None:
    catalog = write_source(tmp_path / "source")
    nobody = free_port()
    assert not await says_well("server", 7070, nobody)
    assert not await says_well("bridge", 7071, nobody)
    async with (
        running("server", tmp_path / "server", catalog=catalog) as server,
        running("bridge", tmp_path / "bridge", bridge_server_target=server.grpc) as bridge,
    ):
        rest = httpx.URL(bridge.rest).port
        assert rest is not None
        assert await says_well("server", 7070, int(server.grpc.rpartition(":")[2]))
        assert await says_well("bridge", 7071, rest)
        assert await server.terminate() == 0

        async def says_ill() -> bool:
            return not await says_well("bridge", 7071, rest)

        await eventually(says_ill, what="the bridge says that its server has gone")
