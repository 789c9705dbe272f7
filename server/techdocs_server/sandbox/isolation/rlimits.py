"""Limits of the kernel on this process, inherited by what it starts; see getrlimit(2)."""

from __future__ import annotations

import resource
from pathlib import Path

from techdocs_server.sandbox.isolation.plan import Limits

_GIBIBYTE = 1024**3
_STACK_BYTES = 8 * 1024**2


def apply(limits: Limits, *, programs: bool) -> None:
    """Bound this process, for good. Bounds that are lower already stay.

    Past them memory is refused, files end with EFBIG, and processor time ends the
    process with SIGXCPU. Raises `OSError` or `ValueError`.
    """
    _bound(resource.RLIMIT_CORE, 0)
    _bound(resource.RLIMIT_STACK, _STACK_BYTES)
    _bound(resource.RLIMIT_FSIZE, limits.file_bytes)
    _bound(resource.RLIMIT_NOFILE, limits.open_files)
    _bound(resource.RLIMIT_DATA, limits.memory_bytes)
    if not programs:
        # Not for programs: Java reserves addresses by the gigabyte, and uses few. The room is for libraries and stacks.
        _bound(resource.RLIMIT_AS, limits.memory_bytes + _GIBIBYTE)
    # A second more than the warning: who ignores SIGXCPU gets SIGKILL.
    _bound(resource.RLIMIT_CPU, limits.processor_seconds, limits.processor_seconds + 1)
    # The kernel counts every task of the same user, in containers that cannot be seen from here too, and exempts
    # root: this only ends the worst, and the parent counts exactly. A namespace of its own has its own count, and no /proc.
    _bound(resource.RLIMIT_NPROC, _tasks_of_everybody() + limits.tasks)


def _bound(which: int, soft: int, hard: int | None = None) -> None:
    now_soft, now_hard = resource.getrlimit(which)
    resource.setrlimit(which, (_lower(soft, now_soft), _lower(soft if hard is None else hard, now_hard)))


def _lower(wanted: int, present: int) -> int:
    return wanted if present == resource.RLIM_INFINITY else min(wanted, present)


def _tasks_of_everybody() -> int:
    """Return how many tasks the machine runs, or 0 where that cannot be read."""
    try:
        # See proc(5): "0.20 0.18 0.12 1/80 11206", 80 being the tasks there are.
        return int(Path("/proc/loadavg").read_text().split("/")[1].split()[0])
    except (OSError, LookupError, ValueError):
        return 0
