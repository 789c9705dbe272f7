"""One build, forked from a zygote and followed to its end."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from techdocs_server.adapters.generators.cleanup import finish
from techdocs_server.adapters.generators.process import DRAIN_SECONDS, OutputTooLarge, Watch, end_watch, watch_group
from techdocs_server.adapters.generators.process_group import ProcessGroup
from techdocs_server.sandbox.fork_request import OVER, ForkRequest

# It forks within milliseconds, and hears of a killed child as fast: one that does not answer is stuck.
_ANSWER_SECONDS = 15.0
_FULL_PAUSE_SECONDS = 0.01
_PIECE_BYTES = 256 * 1024


class ZygoteLost(Exception):
    """The zygote is gone, never came up, or could not fork. A build that it ran is gone with it."""


@dataclass(frozen=True, slots=True)
class ForkedBuild:
    """What to fork, and how much it may print."""

    request: ForkRequest
    max_output_bytes: int


class Fork:
    """Runs one build. ``give_up`` ends a zygote that does not answer."""

    def __init__(
        self,
        zygote: socket.socket,
        build: ForkedBuild,
        *,
        on_output: Callable[[bytes], None],
        watch: Watch | None,
        give_up: Callable[[], None],
    ) -> None:
        self._zygote = zygote
        self._build = build
        self._watch = watch
        self._give_up = give_up
        self._output = _Output(on_output, max_bytes=build.max_output_bytes, kill=self._kill)
        self._group: ProcessGroup | None = None
        self._is_unwanted = False
        self._watching: asyncio.Task[None] | None = None

    async def run(self) -> int:
        """See `Zygote.run`."""
        with contextlib.ExitStack() as opened:
            control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            opened.enter_context(control)
            opened.enter_context(theirs)
            control.setblocking(False)
            read, write = os.pipe()
            reading = opened.enter_context(io.FileIO(read, "rb"))
            writing = opened.enter_context(io.FileIO(write, "wb"))
            opened.enter_context(self._output.read_from(reading))
            await self._request([writing.fileno(), theirs.fileno()])
            # From here on nothing but the build and its zygote hold them.
            writing.close()
            theirs.close()
            return await self._follow(control)

    async def _request(self, descriptors: Sequence[int]) -> None:
        try:
            packet = self._build.request.to_packet()
        except ValueError as error:
            raise ZygoteLost(str(error)) from error
        while True:
            try:
                socket.send_fds(self._zygote, [packet], list(descriptors))
            except BlockingIOError:
                # Its buffer is full of requests: it forks them one after the other.
                await asyncio.sleep(_FULL_PAUSE_SECONDS)
            except OSError as error:
                raise ZygoteLost("it is gone") from error
            else:
                return

    async def _follow(self, control: socket.socket) -> int:
        life = asyncio.create_task(self._live(control))
        try:
            await asyncio.wait({life})
            # What it left running is killed now: nobody shall wait for what that prints.
            self._kill()
            await asyncio.wait({self._output.closed}, timeout=DRAIN_SECONDS)
        finally:
            try:
                self._kill()
                await finish(self._await_end(life))
            finally:
                # Heard in any case: nobody asks for it where something else is raised.
                lost = None if life.cancelled() else life.exception()
                self._answer(control)
                problem = await end_watch(self._watching)
        if problem is not None:
            raise problem
        if self._output.is_too_large:
            raise OutputTooLarge
        if lost is not None:
            raise lost
        return life.result()

    async def _live(self, control: socket.socket) -> int:
        """Hear of the beginning and of the end."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                pid = await _hear(control)
        except TimeoutError as error:
            self._give_up()
            raise ZygoteLost("it does not answer") from error
        self._group = ProcessGroup(pid)
        if self._is_unwanted:
            self._kill()
        elif self._watch is not None:
            self._watching = asyncio.create_task(watch_group(self._watch, self._kill, pid))
        return await _hear(control)

    async def _await_end(self, life: asyncio.Task[int]) -> None:
        """Wait for a build that was killed."""
        done, _ = await asyncio.wait({life}, timeout=_ANSWER_SECONDS)
        if not done:
            self._give_up()
            await asyncio.wait({life})

    def _answer(self, control: socket.socket) -> None:
        """Let the zygote reap it: from then on its number may be another's."""
        if self._group is not None:
            self._group.close()
        with contextlib.suppress(OSError):
            control.send(OVER)

    def _kill(self) -> None:
        """Kill every process of the build, or as soon as it has one; no effect once it is over."""
        self._is_unwanted = True
        if self._group is not None:
            self._group.kill()


async def _hear(control: socket.socket) -> int:
    try:
        said = await asyncio.get_running_loop().sock_recv(control, 64)
    except OSError as error:
        raise ZygoteLost("it is gone") from error
    if not said:
        raise ZygoteLost("it is gone")
    return int(said)


class _Output:
    """Passes on what a build prints.

    Not a transport of the loop: those differ in when they close what they were given, which is certain here.
    """

    def __init__(self, on_output: Callable[[bytes], None], *, max_bytes: int, kill: Callable[[], None]) -> None:
        self._on_output = on_output
        self._max_bytes = max_bytes
        self._kill = kill
        self._bytes = 0
        self._loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = self._loop.create_future()

    @property
    def is_too_large(self) -> bool:
        """Whether there was more than there may be."""
        return self._bytes > self._max_bytes

    @contextlib.contextmanager
    def read_from(self, pipe: io.FileIO) -> Iterator[None]:
        """Read while this context lasts."""
        os.set_blocking(pipe.fileno(), False)
        self._loop.add_reader(pipe.fileno(), self._take, pipe.fileno())
        try:
            yield
        finally:
            self._loop.remove_reader(pipe.fileno())

    def _take(self, descriptor: int) -> None:
        try:
            data = os.read(descriptor, _PIECE_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._loop.remove_reader(descriptor)
            self.closed.set_result(None)
            return
        self._bytes += len(data)
        if self.is_too_large:
            self._kill()
        else:
            self._on_output(data)
