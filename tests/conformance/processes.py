"""Commands that run to their end, with what they print."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.services import environment

_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and what it printed."""

    status: int
    output: str
    errors: str


def installed(name: str) -> str:
    """Return the path of a command that is installed with this environment, whatever PATH says."""
    return str(Path(sys.executable).with_name(name))


async def run(*command: str, seconds: float = _SECONDS) -> Ended:
    """Run a command without a shell. Kills it and raises `TimeoutError` when it takes too long."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment({}),
    )
    try:
        async with asyncio.timeout(seconds):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return Ended(process.returncode or 0, output.decode(), errors.decode())


async def output_of(*command: str) -> str:
    """Run a command that must succeed and return its standard output."""
    ended = await run(*command)
    assert ended.status == 0, f"{' '.join(command)}\n{ended.output}\n{ended.errors}"
    return ended.output
