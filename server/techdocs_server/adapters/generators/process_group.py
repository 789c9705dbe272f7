"""The process group of somebody else's child: killed by what cannot become another's."""

from __future__ import annotations

import contextlib
import os
import signal

_WHOLE_GROUP = 4
"""PIDFD_SIGNAL_PROCESS_GROUP, from Linux 6.9 on."""


class ProcessGroup:
    """The group that a process leads, or is about to. Made while the process is certainly there; closed in the end.

    Its number is used where the kernel has nothing better. Until the process is
    reaped that is exact, and after that as good as numbers are.
    """

    def __init__(self, leader: int) -> None:
        self.leader = leader
        self._handle = _handle(leader)
        self._is_closed = False

    def kill(self) -> None:
        """Kill every process of it; no effect once it is closed."""
        if not self._is_closed and not self._kill_by_handle():
            kill_by_number(self.leader)

    def close(self) -> None:
        """Let go of it."""
        self._is_closed = True
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _kill_by_handle(self) -> bool:
        """Return false where that cannot be done."""
        if self._handle is None:
            return False
        # Before it leads a group, it is alone.
        for flags in (_WHOLE_GROUP, 0):
            try:
                signal.pidfd_send_signal(self._handle, signal.SIGKILL, None, flags)
            except ProcessLookupError:
                continue
            except OSError:
                return False
            break
        return True


def kill_by_number(leader: int) -> None:
    """Kill a group, or a process that does not lead one yet. It must not have been reaped."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(leader, signal.SIGKILL)
    except PermissionError:
        # Some systems say so of a group of zombies.
        return


def _handle(pid: int) -> int | None:
    if not hasattr(os, "pidfd_open"):
        return None
    with contextlib.suppress(OSError):
        return os.pidfd_open(pid)
    return None
