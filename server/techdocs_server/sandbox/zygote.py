"""A process with the whole toolchain loaded, from which builds are forked; see `fork_request` for how it is asked.

It holds no secret, as builds do not: its environment is as empty as theirs, and its
one file of its parent is the socket, which is its standard input. It reads nothing
that an author wrote, and has no network. It is one thread, since it forks.

The command line says with JSON what confines it: ``layers`` and ``programs``.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import selectors
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from techdocs_server.sandbox.fork_request import DESCRIPTORS, MAX_REQUEST_BYTES, READY, ForkRequest
from techdocs_server.sandbox.forked_build import be_a_build
from techdocs_server.sandbox.isolation.outermost import confine
from techdocs_server.sandbox.isolation.plan import Layer
from techdocs_server.sandbox.isolation.privileges import outlive_parent
from techdocs_server.sandbox.preloading import preload

_TASKS = Path("/proc/self/task")


def main() -> None:
    """Load everything, say so, then fork builds until the parent closes the socket."""
    told = json.loads(sys.argv[1])
    confine({Layer(name) for name in told["layers"]}, programs=told["programs"])
    parent = socket.socket(fileno=0)
    preload()
    if len(list(_TASKS.iterdir())) > 1:
        sys.exit("something that was loaded started a thread: forking is not safe")
    # Builds have folders of their own, and the one we were loaded in is removed.
    os.chdir("/")
    gc.collect()
    # What is loaded stays shared with every build: the collector would write to it.
    gc.freeze()
    # When the server is gone its sockets say so, and every process of every build is taken along.
    outlive_parent()
    parent.send(READY)
    forked = _Zygote(parent).serve()
    # Not from within the loop: a build has about as much room on the stack as it has alone.
    if forked is not None:
        be_a_build(forked.request, output=forked.output, zygote=forked.zygote)


@dataclass(frozen=True, slots=True)
class _Forked:
    """What a forked process is to do."""

    request: ForkRequest
    output: int
    zygote: int


@dataclass(slots=True)
class _Child:
    pid: int
    parent: socket.socket
    is_dead: bool = False


class _Zygote:
    def __init__(self, parent: socket.socket) -> None:
        self._parent = parent
        self._children: dict[int, _Child] = {}
        self._selector = selectors.DefaultSelector()
        self._is_open = True

    def serve(self) -> _Forked | None:
        """Return in each forked process with its work, and in this one when the parent is gone and every build ended."""
        woken, wake = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(woken, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        self._selector.register(woken, selectors.EVENT_READ)
        self._selector.register(self._parent, selectors.EVENT_READ)
        while self._is_open or self._children:
            for key, _ in self._selector.select():
                if key.fileobj is self._parent:
                    if forked := self._take_request():
                        return forked
                elif key.data is None:
                    with contextlib.suppress(BlockingIOError):
                        os.read(woken, 4096)
                else:
                    self._reap(key.data)
            self._look_for_dead()
        return None

    def _take_request(self) -> _Forked | None:
        packet, descriptors, _, _ = socket.recv_fds(self._parent, MAX_REQUEST_BYTES, DESCRIPTORS)
        if not packet:
            self._selector.unregister(self._parent)
            self._is_open = False
            for child in self._children.values():
                _kill(child.pid)
            return None
        try:
            output, control = descriptors
            request = ForkRequest.parse(packet)
            us = os.getpid()
            pid = os.fork()
        except (OSError, ValueError) as error:
            # Too little memory or too many processes or files: the parent sees by the socket that nothing comes.
            print(f"cannot fork: {error}", file=sys.stderr)  # noqa: T201 - the one place to say it
            for descriptor in descriptors:
                os.close(descriptor)
            return None
        if pid == 0:
            self._let_go()
            return _Forked(request, output, us)
        os.close(output)
        child = _Child(pid, socket.socket(fileno=control))
        self._children[pid] = child
        self._selector.register(child.parent, selectors.EVENT_READ, child)
        _tell(child, pid)
        return None

    def _let_go(self) -> None:
        """Close what a build must not have, by name: found by the collector later, its numbers would be the build's."""
        self._selector.close()
        for child in self._children.values():
            child.parent.close()
        # The number stays taken, until standard input is another's.
        self._parent.detach()

    def _look_for_dead(self) -> None:
        for child in self._children.values():
            if not child.is_dead and (ended := _status(child.pid)) is not None:
                child.is_dead = True
                _tell(child, ended)

    def _reap(self, child: _Child) -> None:
        """The parent answered, or is gone: the number may be another's from here on."""
        # It may have lost interest without a word: end what it wanted, and what that left.
        _kill(child.pid)
        os.waitpid(child.pid, 0)
        self._selector.unregister(child.parent)
        child.parent.close()
        del self._children[child.pid]


def _tell(child: _Child, number: int) -> None:
    with contextlib.suppress(OSError):
        child.parent.send(str(number).encode())


def _kill(pid: int) -> None:
    """Kill what a child that is not reaped leads, which may be no group yet."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def _status(pid: int) -> int | None:
    """Return how a child ended, negative for a signal, without reaping it; None while it runs."""
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if ended is None:
        return None
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
