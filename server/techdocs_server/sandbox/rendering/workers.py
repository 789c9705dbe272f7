"""Work over pages, done by forked children of this process, whose answers come in the pages' order."""

from __future__ import annotations

import gc
import os
import selectors
import signal
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from techdocs_server.sandbox.isolation.privileges import die_with_parent

T = TypeVar("T")
_FRAME = struct.Struct("!BII")
_DONE, _FAILED, _OVER_A_LIMIT = 0, 1, 2
_CHUNK_BYTES = 1024 * 1024
_LEAST_PER_WORKER = 4
"""Fewer items than this are done before a second process has started."""


class WorkerFailed(Exception):
    """An item cannot be done in a child. ``index`` is the first that failed."""

    def __init__(self, index: int) -> None:
        super().__init__(f"item {index} failed")
        self.index = index


class WorkerLost(Exception):
    """A child ended before its work was done. ``status`` is that of waitpid(2)."""

    def __init__(self, status: int) -> None:
        super().__init__(f"a worker ended with status {status}")
        self.status = status

    def end_alike(self) -> None:
        """End this process by the signal that ended the child; return when it was none."""
        if os.WIFSIGNALED(self.status):
            number = os.WTERMSIG(self.status)
            if number != signal.SIGKILL:
                signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_parallel(
    items: int,
    work: Callable[[int], bytes],
    *,
    read: Callable[[bytes], T],
    workers: int,
    contiguous: bool,
    done: Callable[[], None],
) -> list[T]:
    """Return ``read(work(index))`` for every index: the work done by at most ``workers`` children, read as it arrives.

    ``contiguous`` gives each child one run of neighbours, instead of every nth
    item. ``done`` is called for each item, in any order. Raises `WorkerFailed` when
    ``work`` raised, when every item before that one is done too, `MemoryError` when a child had too
    little memory, `WorkerLost`, and `OSError` when there can be no children.
    """
    count = max(1, min(workers, items // _LEAST_PER_WORKER))
    shares = [_share(items, count, number, contiguous=contiguous) for number in range(count)]
    was_frozen = gc.get_freeze_count() > 0
    gc.freeze()
    pipes = [os.pipe() for _ in shares]
    children: list[int] = []
    parent = os.getpid()
    try:
        for number, share in enumerate(shares):
            pid = os.fork()
            if pid == 0:
                _be_a_child(parent, [read for read, _ in pipes], [write for _, write in pipes], number, share, work)
            children.append(pid)
    finally:
        for _, write in pipes:
            os.close(write)
        if not was_frozen:
            # Otherwise it would thaw what a zygote froze, too, and collections would write to memory that is shared.
            gc.unfreeze()
        answers = _Answers(items, read, done)
        try:
            answers.gather([read for read, _ in pipes])
        finally:
            for pipe, _ in pipes:
                os.close(pipe)
            statuses = [os.waitpid(pid, 0)[1] for pid in children]
    return answers.complete(statuses)


def _share(items: int, count: int, number: int, *, contiguous: bool) -> Sequence[int]:
    if not contiguous:
        return range(number, items, count)
    return range(items * number // count, items * (number + 1) // count)


def _be_a_child(
    parent: int,
    reads: Sequence[int],
    writes: Sequence[int],
    number: int,
    share: Sequence[int],
    work: Callable[[int], bytes],
) -> None:
    code = 1
    try:
        # However it ends, what it forked ends with it; it may have ended already.
        die_with_parent()
        if os.getppid() != parent:
            return
        # Of our own pipe too: without a reader, a write is the end of us.
        for descriptor in (*reads, *(write for other, write in enumerate(writes) if other != number)):
            os.close(descriptor)
        for index in share:
            kind, content = _attempt(work, index)
            _send(writes[number], _FRAME.pack(kind, index, len(content)) + content)
            if kind != _DONE:
                break
        code = 0
    finally:
        os._exit(code)


def _attempt(work: Callable[[int], bytes], index: int) -> tuple[int, bytes]:
    try:
        return _DONE, work(index)
    except MemoryError:
        return _OVER_A_LIMIT, b""
    # SystemExit as well: plugins end builds with sys.exit. What it was, the parent finds out by doing it again.
    except (Exception, SystemExit):
        return _FAILED, b""


def _send(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


@dataclass
class _Answers(Generic[T]):
    items: int
    read: Callable[[bytes], T]
    done: Callable[[], None]

    def __post_init__(self) -> None:
        self._found: dict[int, T] = {}
        self._failed: list[int] = []
        self._over_a_limit = False

    def gather(self, pipes: Sequence[int]) -> None:
        """Read every pipe to its end."""
        with selectors.DefaultSelector() as selector:
            for pipe in pipes:
                selector.register(pipe, selectors.EVENT_READ, bytearray())
            while selector.get_map():
                for key, _ in selector.select():
                    content = os.read(key.fd, _CHUNK_BYTES)
                    if content:
                        key.data.extend(content)
                        self._take(key.data)
                    else:
                        selector.unregister(key.fd)

    def _take(self, buffer: bytearray) -> None:
        start = 0
        while len(buffer) - start >= _FRAME.size:
            kind, index, length = _FRAME.unpack_from(buffer, start)
            end = start + _FRAME.size + length
            if len(buffer) < end:
                break
            self._note(kind, index, bytes(buffer[end - length : end]))
            start = end
        del buffer[:start]

    def _note(self, kind: int, index: int, content: bytes) -> None:
        if kind == _DONE:
            self._found[index] = self.read(content)
            self.done()
        elif kind == _FAILED:
            self._failed.append(index)
        else:
            self._over_a_limit = True

    def complete(self, statuses: Sequence[int]) -> list[T]:
        """Return the answers, or raise what `in_parallel` raises."""
        if self._over_a_limit:
            raise MemoryError
        for status in statuses:
            if status:
                raise WorkerLost(status)
        if self._failed:
            raise WorkerFailed(min(self._failed))
        return [self._found[index] for index in range(self.items)]
