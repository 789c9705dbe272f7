"""Compressing in a process of its own, of the lowest priority.

A thread would do without one, for both encoders let go of the interpreter's lock. But
a thread of low priority that is put off *while* it holds that lock puts off the event
loop with it, and with that every reader. A process holds nothing of ours.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, TypeVar

from techdocs_server.adapters.compression.worker import ANSWER, REQUEST
from techdocs_server.domain.encoding import MOST_BYTES, ContentEncoding
from techdocs_server.ports.compressor import CompressorFailed

T = TypeVar("T")

_WORKER = Path(__file__).with_name("worker.py")
# 32 MiB take about two seconds on a free machine. On a busy one, which is when the process gets little, much longer.
_TIMEOUT_SECONDS = 300.0


class _Worker:
    """The process and its pipes. Blocking; for one thread, but for `kill`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own file
            (sys.executable, "-I", "-B", str(_WORKER)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={},
            # A terminal's interrupt is for the server, which ends this process in its own time.
            start_new_session=True,
        )

    def compress(self, content: bytes) -> Mapping[ContentEncoding, bytes]:
        """Return the encodings. Raises `OSError` and `EOFError` when the process does not answer any more."""
        requests, answers = self._process.stdin, self._process.stdout
        if requests is None or answers is None:
            raise EOFError("it has no pipes")
        requests.write(REQUEST.pack(len(content)))
        requests.write(content)
        requests.flush()
        sizes = ANSWER.unpack(_read(answers, ANSWER.size))
        brotli, gzip = (_read(answers, size) for size in sizes)
        return {ContentEncoding.BROTLI: brotli, ContentEncoding.GZIP: gzip}

    def kill(self) -> None:
        """Make the process end, and whatever waits for it fail. May be called on any thread."""
        self._process.kill()

    def close(self) -> None:
        """Kill the process and take leave of it."""
        with suppress(BrokenPipeError):  # what was not sent is not wanted any more
            self._process.kill()
            self._process.communicate()


class ProcessCompressor:
    """A Compressor with one process, which is started when it is first needed. Call `close` in the end."""

    def __init__(self, *, timeout_seconds: float = _TIMEOUT_SECONDS) -> None:
        self._timeout_seconds = timeout_seconds
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="compress")
        self._worker: _Worker | None = None

    async def close(self) -> None:
        """End the process and the thread. No call may be under way."""
        await self.rest()
        self._thread.shutdown()

    async def compress(self, content: bytes) -> Mapping[ContentEncoding, bytes]:
        """See `Compressor`."""
        if len(content) > MOST_BYTES:
            raise CompressorFailed("the content is too large")
        is_good = False
        try:
            encoded = await self._run(lambda: self._started().compress(content))
            is_good = True
        except (OSError, EOFError, TimeoutError) as error:
            raise CompressorFailed(f"the process that compresses fails: {error!r}") from error
        finally:
            # Also when cancelled: the process has half a request, or somebody else's answer.
            if not is_good:
                await self.rest()
        return encoded

    async def rest(self) -> None:
        """See `Compressor`. Takes a few milliseconds: the process is killed."""
        worker, self._worker = self._worker, None
        if worker is not None:
            await self._run(worker.close)

    def _started(self) -> _Worker:
        # Kept here and not by the caller, who may be cancelled meanwhile and would not know of it.
        if self._worker is None:
            self._worker = _Worker()
        return self._worker

    async def _run(self, step: Callable[[], T]) -> T:
        """Run a step on the thread. When time is up, or the caller is cancelled, the process is killed to end it."""
        running = asyncio.wrap_future(self._thread.submit(step))
        try:
            done, _ = await asyncio.wait([running], timeout=self._timeout_seconds)
        except asyncio.CancelledError:
            await self._abandoned(running)
            raise
        if not done:
            await self._abandoned(running)
            raise TimeoutError
        return running.result()

    async def _abandoned(self, running: asyncio.Future[T]) -> None:
        if self._worker is not None:
            self._worker.kill()
        await asyncio.gather(running, return_exceptions=True)


def _read(stream: IO[bytes], size: int) -> bytes:
    content = stream.read(size)
    if len(content) != size:
        raise EOFError("it ended")
    return content
