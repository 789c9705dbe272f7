"""The server's side of a zygote: a process with the toolchain loaded, from which builds are forked."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from techdocs_server.adapters.generators.cleanup import finish, remove_folder
from techdocs_server.adapters.generators.fork import Fork, ForkedBuild, ZygoteLost
from techdocs_server.adapters.generators.process import Watch
from techdocs_server.sandbox.fork_request import READY
from techdocs_server.sandbox.isolation.plan import Layer
from techdocs_server.sandbox.launch import command, environment

_log = logging.getLogger(__name__)
_START_SECONDS = 60.0
_LAST_WORDS_SECONDS = 1.0
_LAST_WORDS_BYTES = 4096


class Zygote:
    """One zygote, until `close`. Use `start`."""

    def __init__(self, process: asyncio.subprocess.Process, parent: socket.socket, folder: Path) -> None:
        self._process = process
        self._socket = parent
        self._folder = folder
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = False
        self._said = b""
        # Read to the end: a full pipe would stop it, and an unread one keeps its end from being noticed.
        self._listening = asyncio.create_task(self._listen())
        self.builds = 0
        self.start_time = time.monotonic()

    @classmethod
    async def start(
        cls, python: Path, *, scratch: Path, search_path: str, layers: Collection[Layer], programs: bool
    ) -> Zygote:
        """Start one and wait until it is ready, which takes about two seconds. Raises `ZygoteLost`.

        ``layers`` and ``programs`` are those of the builds: more holds for none of them.
        """
        try:
            folder = Path(tempfile.mkdtemp(prefix="techdocs-zygote-", dir=scratch))
        except OSError as error:
            raise ZygoteLost(f"its folder cannot be made: {error.strerror}") from error
        confined = json.dumps({"layers": sorted(layers), "programs": programs})
        variables = environment(python, private_directory=folder, search_path=search_path, programs=programs)
        spawning = asyncio.create_task(_spawn(command(python, "zygote", confined), folder, variables))
        try:
            # To its end: not every loop takes a process back whose start is cancelled.
            await finish(spawning)
        except OSError as error:
            await finish(asyncio.to_thread(remove_folder, folder))
            raise ZygoteLost(f"it cannot be started: {error.strerror}") from error
        except asyncio.CancelledError:
            if spawning.exception() is None:
                await cls(*spawning.result(), folder).close()
            await finish(asyncio.to_thread(remove_folder, folder))
            raise
        zygote = cls(*spawning.result(), folder)
        try:
            await zygote._await_ready()
            # It was for what is loaded; builds have their own.
            await finish(asyncio.to_thread(remove_folder, folder))
        except BaseException:
            await zygote.close()
            raise
        return zygote

    async def _await_ready(self) -> None:
        try:
            async with asyncio.timeout(_START_SECONDS):
                said = await asyncio.get_running_loop().sock_recv(self._socket, len(READY))
        except (OSError, TimeoutError) as error:
            raise ZygoteLost("it did not come up") from error
        if said != READY:
            await asyncio.wait({self._listening}, timeout=_LAST_WORDS_SECONDS)
            lines = self._said.decode("utf-8", "replace").splitlines()
            raise ZygoteLost(lines[-1] if lines else "it ended at once")
        _log.debug("zygote_ready", extra={"seconds": round(time.monotonic() - self.start_time, 2)})

    async def _listen(self) -> None:
        errors = self._process.stderr
        while errors is not None and (piece := await errors.read(_LAST_WORDS_BYTES)):
            self._said = (self._said + piece)[-_LAST_WORDS_BYTES:]

    @property
    def is_alive(self) -> bool:
        """Whether builds can be forked from it."""
        return self._process.returncode is None and not self._closing

    async def run(self, build: ForkedBuild, *, on_output: Callable[[bytes], None], watch: Watch | None) -> int:
        """Fork a build and return its exit code, negative for a signal; what `run_in_own_group` says holds here, too.

        Raises `ZygoteLost`, `OutputTooLarge`, and what ``watch`` raises.
        """
        self.builds += 1
        self._running += 1
        self._idle.clear()
        try:
            return await Fork(self._socket, build, on_output=on_output, watch=watch, give_up=self._kill).run()
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()

    async def retire(self) -> None:
        """Fork nothing more, and end when the builds have ended."""
        self._closing = True
        await self._idle.wait()
        await self.close()

    async def close(self) -> None:
        """End it and every build that it runs."""
        self._closing = True
        await finish(self._end())

    async def _end(self) -> None:
        self._socket.close()
        # Its builds die with it.
        self._kill()
        await self._process.wait()
        await asyncio.wait({self._listening})
        await asyncio.to_thread(remove_folder, self._folder)

    def _kill(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()


async def _spawn(
    arguments: Sequence[str], folder: Path, variables: Mapping[str, str]
) -> tuple[asyncio.subprocess.Process, socket.socket]:
    """Start the process; return it and our end of the socket that is its standard input. Raises `OSError`."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *arguments,
                stdin=theirs.fileno(),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                cwd=folder,
                env=variables,
                start_new_session=True,
            )
    except BaseException:
        ours.close()
        raise
    ours.setblocking(False)
    return process, ours
