"""A second server in the place of the first does not start, says why, and harms nothing."""

import asyncio
import sys
from pathlib import Path

from tests.integration.build_control import building
from tests.support.services import environment


async def refused(role: str, **settings: object) -> str:
    """Start a role that must fail and return what it says."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "techdocs_server",
        role,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(settings),
    )
    try:
        async with asyncio.timeout(30):
            said, logged = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 1, logged.decode()
    assert b"REST on" not in said
    return logged.decode()


async def test_the_port_of_a_running_server_is_not_shared(tmp_path: Path) -> None:
    async with building(tmp_path / "first") as site:
        site.add("demo")
        await site.sync("demo")
        logged = await refused("server", data_directory=tmp_path / "second", server_listen=site.service.grpc)
        assert f"cannot listen on {site.service.grpc} for gRPC" in logged
        assert "set server_listen" in logged
        assert "Traceback" not in logged
        for _ in range(20):
            assert "generation-0" in await site.page("demo")


async def test_the_data_of_a_running_server_are_its_own(tmp_path: Path) -> None:
    async with building(tmp_path / "first") as site:
        site.add("demo")
        await site.sync("demo")
        site.edit("demo", 1)
        site.hold()
        build = await site.create("demo")
        await site.held_child()
        logged = await refused("server", data_directory=site.data, server_listen="127.0.0.1:0")
        assert logged.startswith("techdocs: data_directory: another techdocs process uses ")
        assert "Traceback" not in logged
        assert len(list((site.data / "workspaces").iterdir())) > 0, "the running build keeps its folder"
        site.release()
        ended = await site.ended(build)
        assert ended.updated
        assert "generation-1" in await site.page("demo")


async def test_the_port_of_a_running_bridge_is_not_shared(tmp_path: Path) -> None:
    async with building(tmp_path / "first", role="serve") as site:
        address = site.service.rest.removeprefix("http://")
        logged = await refused("bridge", bridge_listen=address, bridge_server_target=site.service.grpc)
        assert logged.startswith("techdocs: bridge_listen: ")
        assert address in logged
        everything = await refused(
            "serve", data_directory=tmp_path / "second", server_listen="127.0.0.1:0", bridge_listen=address
        )
        assert "bridge_listen: " in everything
        assert "Traceback" not in everything
