"""What the processes of a build use together, as their parent sees it from outside.

The kernel bounds each process; here all of them are bounded, and the folders they
write. Where there is no /proc only the folders are.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from techdocs_server.sandbox.isolation.plan import Limits

# Deeper, paths become too long to name, and folders hard to remove.
_MAX_DEPTH = 64
_PROC = Path("/proc")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_BLOCK_BYTES = 512
_OF_MANY_SECONDS, _ALONE_SECONDS = 0.25, 1.0


class LimitExceeded(Exception):
    """The group used more than it may. The message says what, in a form that follows "it"."""


@dataclass(frozen=True, slots=True)
class GroupWatch:
    """Looks at a group, identified by its session, and at the folders that it may write. ``many`` says it is no single process."""

    limits: Limits
    folders: Sequence[Path]
    many: bool

    @property
    def pause_seconds(self) -> float:
        """How long to wait between two looks: what a group of many can do meanwhile is more."""
        return _OF_MANY_SECONDS if self.many else _ALONE_SECONDS

    def look(self, session: int) -> None:
        """Return when everything is within bounds. Blocks for milliseconds; raises `LimitExceeded`."""
        members = self._bounded(_members(session))
        self._look_at_processes(members)
        hidden = sum(_hidden_bytes(member.pid, self.folders, self.limits.file_bytes) for member in members)
        for folder in self.folders:
            self._look_at_folder(folder, hidden)

    def _bounded(self, members: Iterator[_Member]) -> Sequence[_Member]:
        """Return the members, unless they are too many: looking at all of them would let them become more."""
        found: list[_Member] = []
        tasks = 0
        for member in members:
            tasks += member.threads
            if tasks > self.limits.tasks:
                raise LimitExceeded(f"ran more than {self.limits.tasks} processes and threads at once")
            found.append(member)
        return found

    def _look_at_processes(self, members: Sequence[_Member]) -> None:
        limits = self.limits
        # Only where the quick count is too high: forked processes share much, and it counts that for each of them.
        if (
            sum(member.memory_bytes for member in members) > limits.memory_bytes
            and sum(map(_share_of_memory, members)) > limits.memory_bytes
        ):
            raise LimitExceeded(f"used more than {limits.memory_bytes} bytes of memory")
        if sum(member.processor_seconds for member in members) > limits.processor_seconds:
            raise LimitExceeded(f"used more than {limits.processor_seconds} seconds of processor time")

    def _look_at_folder(self, folder: Path, hidden_bytes: int) -> None:
        used = hidden_bytes
        for files, size in enumerate(_sizes(folder), start=1):
            used += size
            if files > self.limits.written_files:
                raise LimitExceeded(f"wrote more than {self.limits.written_files} files and folders")
            if used > self.limits.written_bytes:
                raise LimitExceeded(f"wrote more than {self.limits.written_bytes} bytes")
        if used > self.limits.written_bytes:
            raise LimitExceeded(f"wrote more than {self.limits.written_bytes} bytes")


@dataclass(frozen=True, slots=True)
class _Member:
    pid: int
    threads: int
    memory_bytes: int
    processor_seconds: float


def _members(session: int) -> Iterator[_Member]:
    for folder in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # See proc(5). The second field is the name, in brackets, and may hold anything.
            values = (folder / "stat").read_bytes().rpartition(b")")[2].split()
            if int(values[3]) != session:
                continue
            _, resident, shared, *_ = map(int, (folder / "statm").read_bytes().split())
            yield _Member(
                pid=int(folder.name),
                threads=int(values[17]),
                memory_bytes=(resident - shared) * _PAGE_BYTES,
                # Its own, and that of children it has waited for.
                processor_seconds=sum(map(int, values[11:15])) / _TICKS_PER_SECOND,
            )


def _share_of_memory(member: _Member) -> int:
    """Return what a process takes of memory, of what it shares with others its share."""
    with contextlib.suppress(OSError):
        for line in (_PROC / str(member.pid) / "smaps_rollup").read_bytes().splitlines():
            if line.startswith(b"Pss_Anon:"):
                return int(line.split()[1]) * 1024
    return member.memory_bytes


def _hidden_bytes(pid: int, folders: Sequence[Path], file_bytes: int) -> int:
    """Return what a process holds in files that no folder names any more."""
    folder = _PROC / str(pid)
    used = 0
    with contextlib.suppress(OSError):
        for descriptor in (folder / "fd").iterdir():
            with contextlib.suppress(OSError):
                status = descriptor.stat()
                if stat.S_ISREG(status.st_mode) and status.st_nlink == 0:
                    used += status.st_blocks * _BLOCK_BYTES
    with contextlib.suppress(OSError):
        # One mapped page keeps all of a file, whose size is not told: as large as files may be.
        used += len(set(_removed_and_mapped(folder / "maps", folders))) * file_bytes
    return used


def _removed_and_mapped(maps: Path, folders: Sequence[Path]) -> Iterator[bytes]:
    for line in maps.read_bytes().splitlines():
        # Address, rights, offset, device, inode, path.
        inode_and_path = line.split(maxsplit=5)[4:]
        if len(inode_and_path) == 2 and inode_and_path[1].endswith(b" (deleted)"):
            inode, path = inode_and_path
            if any(path.startswith(os.fsencode(folder) + b"/") for folder in folders):
                yield inode


def _sizes(folder: Path) -> Iterator[int]:
    """Yield the size of everything below a folder. Links are not followed. Raises `LimitExceeded`."""
    waiting = [(folder, 0)]
    while waiting:
        current, depth = waiting.pop()
        if depth > _MAX_DEPTH:
            raise LimitExceeded(f"made folders more than {_MAX_DEPTH} deep")
        try:
            with os.scandir(current) as entries:
                for entry in entries:
                    with contextlib.suppress(FileNotFoundError):
                        status = entry.stat(follow_symlinks=False)
                        yield max(status.st_size, status.st_blocks * _BLOCK_BYTES)
                        if stat.S_ISDIR(status.st_mode):
                            waiting.append((Path(entry.path), depth + 1))
        except (FileNotFoundError, NotADirectoryError):
            # Removed meanwhile.
            continue
        except OSError as error:
            raise LimitExceeded(f"made a folder that cannot be read ({error.strerror})") from error
