"""The real ``techdocs`` command in a process of its own, on free ports."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 60.0
STOP_SECONDS = 40.0


@dataclass
class RunningService:
    """A role that is up. ``grpc`` is host:port, ``rest`` a base URL; empty where the role has none."""

    role: str
    process: asyncio.subprocess.Process
    grpc: str
    rest: str
    log: Path

    def logged(self) -> str:
        """Return what it has logged so far."""
        return self.log.read_text("utf-8", "replace")

    async def kill(self) -> None:
        """End it at once, as a crash would."""
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def terminate(self) -> int:
        """Ask it to stop and return its exit status."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(STOP_SECONDS):
            return await self.process.wait()


def environment(settings: Mapping[str, object]) -> dict[str, str]:
    """Return the environment of a process with these settings and none of the caller's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TECHDOCS_")}
    return kept | {f"TECHDOCS_{name.upper()}": _text(value) for name, value in settings.items()}


def _text(value: object) -> str:
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


@asynccontextmanager
async def running(role: str, folder: Path, **settings: object) -> AsyncIterator[RunningService]:
    """Run ``techdocs ROLE`` with its data and log in a folder, until the context ends.

    Listens on free ports unless the settings say otherwise. Raises `AssertionError`
    with the log when it does not come up.
    """
    service = await start(role, folder, **settings)
    try:
        yield service
    finally:
        if service.process.returncode is None:
            try:
                await service.terminate()
            except TimeoutError:
                await service.kill()
                raise AssertionError(f"techdocs {role} did not stop; its log:\n{service.logged()}") from None


async def start(role: str, folder: Path, **settings: object) -> RunningService:
    """Start a role and wait until it says that it is up. The caller ends it."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{role}.log"
    defaults: dict[str, object] = {
        "data_directory": folder / "data",
        "server_listen": "127.0.0.1:0",
        "bridge_listen": "127.0.0.1:0",
        "server_drain_seconds": 5,
    }
    with log.open("ab") as stderr:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "techdocs_server",
            role,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            env=environment(defaults | settings),
            cwd=folder,
            start_new_session=True,
        )
    service = RunningService(role, process, "", "", log)
    try:
        async with asyncio.timeout(START_SECONDS):
            await _read_addresses(role, service)
    except (TimeoutError, AssertionError):
        if process.returncode is None:
            await service.kill()
        raise AssertionError(f"techdocs {role} did not come up; its log:\n{service.logged()}") from None
    return service


async def _read_addresses(role: str, service: RunningService) -> None:
    output = service.process.stdout
    assert output is not None
    while not (service.grpc or role == "bridge") or not (service.rest or role == "server"):
        line = (await output.readline()).decode()
        assert line, f"techdocs {role} ended"
        if role == "worker":
            return
        if ": gRPC on " in line:
            service.grpc = line.rsplit(" ", 1)[1].strip()
        elif ": REST on " in line:
            service.rest = line.split(": REST on ", 1)[1].split(",", 1)[0]
