"""Starting `store_process` from a test, and ending it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

_PROJECT = Path(__file__).parents[2]
_TIMEOUT_SECONDS = 30


@asynccontextmanager
async def store_process(
    what: str, folder: Path, *, inside: Sequence[str] = ()
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run one of its plays, killed when the block ends. ``inside`` is a command that runs commands."""
    process = await asyncio.create_subprocess_exec(
        *inside,
        *(sys.executable, "-W", "error", "-m", "tests.support.store_process", what, str(folder)),
        cwd=_PROJECT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def line_of(process: asyncio.subprocess.Process) -> str:
    """Return the next line that a process prints; empty when it prints none and ends."""
    assert process.stdout is not None
    async with asyncio.timeout(_TIMEOUT_SECONDS):
        return (await process.stdout.readline()).decode().rstrip("\n")
