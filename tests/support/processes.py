"""Processes that a test looks at from outside."""

from __future__ import annotations

import os
from pathlib import Path


def is_running(pid: int) -> bool:
    """Whether a process exists and has not ended; one that nobody reaped yet has ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return not Path("/proc/self").exists()
    # The state follows the name, which is in brackets and may hold anything.
    return status.rpartition(")")[2].split()[0] not in ("Z", "X")


def written_pids(path: Path) -> tuple[int, int]:
    """Return the two process ids that a file holds."""
    first, second = path.read_text().split()
    return int(first), int(second)
