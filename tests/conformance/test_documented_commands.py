"""Every command that the manual marks as one to paste (``sh``) works as pasted, but for the ports."""

from __future__ import annotations

import asyncio
import re
import textwrap
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from techdocs.v1 import builds_pb2, builds_pb2_grpc, entity_pb2

from tests.support.services import RunningService, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^( *)```sh\n(.*?)^\1```", re.DOTALL | re.MULTILINE)


def documented() -> Iterator[tuple[str, str]]:
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        for number, found in enumerate(_BLOCK.finditer(page.read_text("utf-8")), start=1):
            yield f"{page.relative_to(ROOT)}-{number}", textwrap.dedent(found[2])


COMMANDS = dict(documented())


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def manual(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningService]:
    """Run the service on this project's manual, built, as the demonstration does."""
    folder = tmp_path_factory.mktemp("manual")
    async with running("serve", folder, catalog=ROOT / "catalog-info.yaml") as service:
        async with grpc.aio.insecure_channel(service.grpc) as channel:
            entity = entity_pb2.EntityRef(kind="component", name="techdocs-service")
            stub = builds_pb2_grpc.BuildServiceStub(channel)
            await stub.SyncSite(builds_pb2.SyncSiteRequest(entity=entity), timeout=120)
        yield service


async def test_the_manual_has_commands_to_paste() -> None:
    assert len(COMMANDS) > 20


@pytest.mark.parametrize("name", COMMANDS)
async def test_command_works_as_pasted(name: str, manual: RunningService) -> None:
    rest = manual.rest.removeprefix("http://")
    command = COMMANDS[name].replace("127.0.0.1:7071", rest).replace("127.0.0.1:7070", manual.grpc)
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-euo",
        "pipefail",
        "-c",
        command,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        output, errors = await process.communicate()
    assert process.returncode == 0, f"{command}\n{output.decode()[-2000:]}\n{errors.decode()[-2000:]}"
    assert output.strip(), f"{command}\nshows nothing"
