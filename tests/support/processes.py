"""Processes that a test looks at from outside."""

from __future__ import annotations

import os
from collections.abc import Iterator
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


SHARED_SERVERS: set[int] = set()
"""Process ids of servers that a test run starts once: no test waits for their end."""


def children_of(pid: int) -> list[int]:
    """Return the running children of a process, less the servers that all tests of a run share."""
    return [
        child for child, parent in _parents() if parent == pid and is_running(child) and child not in SHARED_SERVERS
    ]


def zygotes_of(server: int) -> list[int]:
    """Return the loaded processes that builds of a server are forked from."""
    return [child for child in children_of(server) if _is_zygote(child)]


def builds_of(server: int) -> list[int]:
    """Return the running processes that build for a server: forked from a loaded process, or its own children."""
    children = [child for child in children_of(server) if not _compresses(child)]
    zygotes = [child for child in children if _is_zygote(child)]
    forked = [child for zygote in zygotes for child in children_of(zygote)]
    return [*(child for child in children if child not in zygotes), *forked]


def compressors_of(server: int) -> list[int]:
    """Return the processes that compress for a server."""
    return [child for child in children_of(server) if _compresses(child)]


def _is_zygote(pid: int) -> bool:
    # A forked build has the command line of its origin: only a child of the server is asked.
    return b"techdocs_server.sandbox.zygote import main" in _command_line(pid)


def _compresses(pid: int) -> bool:
    return b"compression/worker.py" in _command_line(pid)


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _parents() -> Iterator[tuple[int, int]]:
    """Yield every process with its parent."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            yield int(entry.name), int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
