"""The clients of @backstage/plugin-techdocs, called in Node as the frontend calls them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.backstage.packages import backstage_packages

_SECONDS = 120.0

Call = Sequence[object]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call returned, or the error that it threw: name, message and what a ResponseError holds."""

    value: Any = None
    error: Mapping[str, Any] | None = None


async def call_clients(
    techdocs: str, *calls: Call, token: str = "", config: Mapping[str, object] | None = None
) -> Sequence[Outcome]:
    """Make calls of the clients, one after the other, as a user with a token; clients.mjs says which there are.

    Kills Node and raises `TimeoutError` when they take too long, `AssertionError` with
    what it printed when it fails itself.
    """
    packages = await asyncio.to_thread(backstage_packages)
    given = {"base": techdocs, "token": token, "config": config or {}, "calls": calls}
    process = await asyncio.create_subprocess_exec(
        *packages.command("clients.mjs", json.dumps(given)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=packages.folder,
        env=packages.environment(),
    )
    try:
        async with asyncio.timeout(_SECONDS):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode()
    assert not errors, errors.decode()
    return [Outcome(**result) for result in json.loads(output)]
