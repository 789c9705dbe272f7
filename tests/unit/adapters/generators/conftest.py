"""Which event loop the tests of this folder run on, and what those of zygotes begin with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
import uvloop
from techdocs_server.adapters.generators.zygote import Zygote

from tests.support.coded_builds import Code, Coder, start


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Zygotes on the server's own loop, which treats descriptors and starts that are cancelled differently."""
    if item.path.name in ("test_zygote.py", "test_zygote_life.py"):
        return {"uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}


@pytest.fixture
async def zygote(tmp_path: Path) -> AsyncIterator[Zygote]:
    zygote = await start(tmp_path / "scratch")
    yield zygote
    await zygote.close()
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.fixture
def code(tmp_path: Path) -> Coder:
    made: list[Code] = []

    def make(text: str, *, max_output_bytes: int = 10**6) -> Code:
        folder = tmp_path / f"build-{len(made)}"
        folder.mkdir()
        made.append(Code(folder, text, max_output_bytes))
        return made[-1]

    return make
