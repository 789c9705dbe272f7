"""Child processes that take their whole process group with them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from techdocs_server.adapters.generators.cleanup import finish

# After the group is dead its pipe closes at once, unless a process that left the group holds it.
DRAIN_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 3.0


class OutputTooLarge(Exception):
    """The group printed more than it may, and was killed for that."""


@dataclass(frozen=True, slots=True)
class ChildCommand:
    """What to run, where, with which environment (the whole of it), what it reads, and how much it may print."""

    arguments: Sequence[str]
    directory: Path
    environment: Mapping[str, str]
    standard_input: bytes
    max_output_bytes: int


class Watch(Protocol):
    """Looks at a group now and then."""

    @property
    def pause_seconds(self) -> float:
        """How long to wait between two looks, at least."""
        ...

    def look(self, session: int) -> None:
        """Raise an error to have the group killed. Blocks, in a thread."""
        ...


async def run_in_own_group(
    child: ChildCommand, *, on_output: Callable[[bytes], None], watch: Watch | None = None
) -> int:
    """Run a command as the leader of a new session and process group; return its exit code, negative for a signal.

    ``on_output`` gets what the group writes to standard output and standard error,
    in order, in pieces of any length. The command ends when its first process
    does: what it left running in its group is killed then. However the call ends,
    cancellation included, the group is killed and the first process reaped.
    Raises `OSError` when the command cannot be started, `OutputTooLarge`, and what ``watch`` raises.
    """
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.subprocess_exec(
        lambda: _GroupProtocol(on_output, max_output_bytes=child.max_output_bytes),
        *child.arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=child.directory,
        env=child.environment,
        start_new_session=True,
    )
    watching = asyncio.create_task(watch_group(watch, protocol.kill_group, transport.get_pid())) if watch else None
    try:
        _send(transport, child.standard_input)
        await asyncio.shield(protocol.exited)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await asyncio.shield(protocol.output_closed)
    finally:
        protocol.kill_group()
        try:
            await finish(protocol.exited)
        finally:
            transport.close()
            problem = await end_watch(watching)
    if problem is not None:
        raise problem
    if protocol.output_bytes > child.max_output_bytes:
        raise OutputTooLarge
    return cast("int", transport.get_returncode())


async def watch_group(watch: Watch, kill: Callable[[], None], session: int) -> None:
    """Look at a group for as long as this runs; kill it when the look raises, and raise that."""
    loop = asyncio.get_running_loop()
    while True:
        began = loop.time()
        try:
            await asyncio.to_thread(watch.look, session)
        except Exception:
            # Whatever it is: who cannot be watched does not go on.
            kill()
            raise
        # A look takes at most a tenth of the time, however large the folders are; but who slows it is looked at.
        await asyncio.sleep(min(max(watch.pause_seconds, 9 * (loop.time() - began)), _LONGEST_PAUSE_SECONDS))


async def end_watch(watching: asyncio.Task[None] | None) -> Exception | None:
    """End a watch and return its error."""
    if watching is None:
        return None
    watching.cancel()
    await asyncio.wait({watching})
    error = None if watching.cancelled() else watching.exception()
    return error if isinstance(error, Exception) else None


def _send(transport: asyncio.SubprocessTransport, content: bytes) -> None:
    pipe = cast("asyncio.WriteTransport", transport.get_pipe_transport(0))
    pipe.write(content)
    # What is buffered is still written; a child that is gone already is seen by its exit.
    pipe.close()


class _GroupProtocol(asyncio.SubprocessProtocol):
    """Passes output on, and kills the rest of the group as soon as its first process is gone.

    asyncio's `Process.wait` is of no use here: on some versions it waits until
    every holder of the pipes has closed them.
    """

    def __init__(self, on_output: Callable[[bytes], None], *, max_output_bytes: int) -> None:
        loop = asyncio.get_running_loop()
        self._max_output_bytes = max_output_bytes
        self.output_bytes = 0
        self._on_output = on_output
        self._group: int | None = None
        self.exited: asyncio.Future[None] = loop.create_future()
        self.output_closed: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._group = cast("asyncio.SubprocessTransport", transport).get_pid()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self.output_bytes += len(data)
        if self.output_bytes > self._max_output_bytes:
            self.kill_group()
        else:
            self._on_output(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd == 1 and not self.output_closed.done():
            self.output_closed.set_result(None)

    def process_exited(self) -> None:
        self.kill_group()
        # Not again later: with its last process gone the number may become another group's.
        self._group = None
        if not self.exited.done():
            self.exited.set_result(None)

    def kill_group(self) -> None:
        """Kill every process of the group; no effect after the first process was reaped."""
        if self._group is not None:
            # PermissionError: some systems say so of a group of zombies.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._group, signal.SIGKILL)
