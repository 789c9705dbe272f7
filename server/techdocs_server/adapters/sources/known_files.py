"""Digests of files that were read before, for those that have not changed since.

A file is taken for unchanged when device, inode, size, and the times of its content
and of its inode are what they were. The last one nobody can set back, and every
write moves it, but for two gaps: two writes within one tick of the clock of the file
system, and writes through a memory mapping, which move it when the page is first
written to and again only after the kernel has stored it, by default 35 seconds
later. So a digest is remembered only of a file whose times lay further back than
that when it was read.

This is for asking whether anything changed. What is built is always read anew.
"""

from __future__ import annotations

import os
import struct
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping

_SETTLED_NS = 40 * 10**9
_MOST_FILES = 100_000
"""About 300 bytes each: 30 MB."""
_SIGNATURE = struct.Struct("=QQQqq")


class KnownFiles:
    """What is known of the files of one source, and what one reading of it adds."""

    def __init__(self, known: Mapping[bytes, bytes]) -> None:
        self._known = known
        self._began_ns = time.time_ns()
        self.found: dict[bytes, bytes] = {}
        """What to know of them next time."""

    def digest(self, path: bytes, status: os.stat_result) -> bytes | None:
        """Return the SHA-256 of a file with this status, None when it is not known."""
        entry = self._known.get(path)
        if entry is None or entry[: _SIGNATURE.size] != _signature(status):
            return None
        self.found[path] = entry
        return entry[_SIGNATURE.size :]

    def learn(self, path: bytes, status: os.stat_result, digest: bytes) -> None:
        """Note the digest of a file, whose status is from before it was read."""
        if max(status.st_mtime_ns, status.st_ctime_ns) <= self._began_ns - _SETTLED_NS:
            self.found[path] = _signature(status) + digest


def _signature(status: os.stat_result) -> bytes:
    return _SIGNATURE.pack(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


class KnownSources:
    """The files of the sources that were read last, some ten thousand of them. Safe on any number of threads."""

    def __init__(self, most_files: int = _MOST_FILES) -> None:
        self._most_files = most_files
        self._lock = threading.Lock()
        self._sources: OrderedDict[str, Mapping[bytes, bytes]] = OrderedDict()

    def of(self, source: str) -> KnownFiles:
        """Return what is known of a source, for one reading of it."""
        with self._lock:
            return KnownFiles(self._sources.get(source, {}))

    def keep(self, source: str, files: KnownFiles) -> None:
        """Remember what a whole reading found; sources that were read longest ago are forgotten when it is too much."""
        with self._lock:
            self._sources.pop(source, None)
            self._sources[source] = files.found
            while sum(map(len, self._sources.values())) > self._most_files:
                self._sources.popitem(last=False)
