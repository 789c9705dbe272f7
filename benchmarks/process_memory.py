"""The memory of a tree of processes, from outside. Linux only."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

_PAUSE_SECONDS = 0.02
_KIBIBYTE = 1024
# Of a process that has ended; the second once its file is open.
_GONE = (FileNotFoundError, ProcessLookupError)


class PeakMemory:
    """Samples what the descendants of a process take together, every 20 ms while the context lasts.

    Counts proportional set sizes (proc(5), smaps_rollup): a page that n processes share counts
    as an nth in each, so the sum counts it once. With ``itself`` the process counts, too.
    """

    def __init__(self, pid: int, *, itself: bool) -> None:
        self._pid = pid
        self._itself = itself
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="peak-memory")
        self._problem: OSError | None = None
        self.peak_bytes = 0
        self.samples = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        if error is None and self._problem is not None:
            raise self._problem

    def _sample(self) -> None:
        try:
            while not self._over.is_set():
                self.peak_bytes = max(self.peak_bytes, self._look())
                self.samples += 1
                self._over.wait(_PAUSE_SECONDS)
        except OSError as error:
            # A process that may not be looked at would be missing from the sum without a word.
            self._problem = error

    def _look(self) -> int:
        below = sum(_proportional_bytes(pid) for pid in _descendants(self._pid))
        return below + (_proportional_bytes(self._pid) if self._itself else 0)


def _descendants(pid: int) -> Iterator[int]:
    for task in _listed(Path(f"/proc/{pid}/task")):
        with suppress(*_GONE):
            for child in (task / "children").read_text().split():
                yield int(child)
                yield from _descendants(int(child))


def _listed(folder: Path) -> list[Path]:
    with suppress(*_GONE):
        return list(folder.iterdir())
    return []


def _proportional_bytes(pid: int) -> int:
    with suppress(*_GONE):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * _KIBIBYTE
    return 0
