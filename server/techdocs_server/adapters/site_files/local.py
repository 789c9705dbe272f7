"""Generated files on the local disk."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from techdocs_server.domain.digest import Digest
from techdocs_server.domain.errors import BuildFailureReason, BuildStepFailed, QuotaExceeded
from techdocs_server.domain.site_path import path_problem

_WALKERS = 4
_HASHERS = 4
_LARGE_BYTES = 128 * 1024
"""To hash this much takes about 0.1 ms, as does a hop to another thread."""
_MOST_OPEN = 64


class LocalSiteFiles:
    """Walks by directory descriptors with O_NOFOLLOW, so a link is never followed, not even one made meanwhile."""

    def __init__(self, *, max_bytes: int, max_files: int) -> None:
        self._max_bytes = max_bytes
        self._max_files = max_files
        # Two pools: a walk waits for hashes, so that walks alone could fill one.
        self._walkers = ThreadPoolExecutor(_WALKERS, thread_name_prefix="site-files")
        self._hashers = ThreadPoolExecutor(_HASHERS, thread_name_prefix="site-hash")

    def close(self) -> None:
        """Release the threads."""
        self._walkers.shutdown()
        self._hashers.shutdown()

    async def digests(self, root: Path) -> Mapping[str, Digest]:
        """See `SiteFiles`."""
        return await asyncio.get_running_loop().run_in_executor(self._walkers, self._digests, root)

    def check(self, files: Mapping[str, Digest]) -> None:
        """See `SiteFiles`."""
        self._check(len(files), sum(digest.size_bytes for digest in files.values()))

    def opener(self, root: Path, path: str) -> Callable[[], BinaryIO]:
        """See `SiteFiles`."""
        return partial(_open, root / path)

    def _digests(self, root: Path) -> dict[str, Digest]:
        digests: dict[str, Digest] = {}
        under_way: deque[tuple[str, Future[Digest]]] = deque()
        total = 0
        for count, file in enumerate(_files(root), start=1):
            total += file.size_bytes
            self._check(count, total)
            if file.size_bytes < _LARGE_BYTES:
                digests[file.path] = _digest(file.open())
                continue
            under_way.append((file.path, self._hashers.submit(_digest, file.open())))
            if len(under_way) >= _MOST_OPEN:
                path, digest = under_way.popleft()
                digests[path] = digest.result()
        digests.update((path, digest.result()) for path, digest in under_way)
        return digests

    def _check(self, files: int, total: int) -> None:
        if files > self._max_files:
            raise QuotaExceeded(f"the site has more than {self._max_files} files; the operator sets site_max_files")
        if total > self._max_bytes:
            raise QuotaExceeded(f"the site has more than {self._max_bytes} bytes; the operator sets site_max_bytes")


@dataclass(frozen=True, slots=True)
class _File:
    """A regular file of a site, as a walk finds it. It can be opened until the walk goes on."""

    path: str
    name: str
    folder: int
    size_bytes: int

    def open(self) -> int:
        # O_NONBLOCK: a pipe put in the file's place must not block the walk.
        return os.open(self.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self.folder)


def _files(root: Path) -> Iterator[_File]:
    for folder, _, names, descriptor in os.fwalk(root, follow_symlinks=False):
        prefix = "" if Path(folder) == root else f"{Path(folder).relative_to(root).as_posix()}/"
        for name in names:
            status = os.lstat(name, dir_fd=descriptor)
            if not stat.S_ISREG(status.st_mode):
                continue
            if problem := path_problem(prefix + name):
                raise BuildStepFailed(
                    f"the site has a file named {prefix + name!r}, which {problem}",
                    reason=BuildFailureReason.OUTPUT_REFUSED,
                )
            yield _File(prefix + name, name, descriptor, status.st_size)


def _digest(descriptor: int) -> Digest:
    """Return the digest of an open file, and close it."""
    with open(descriptor, "rb", buffering=0) as file:
        hashed = hashlib.file_digest(file, "sha256")
        return Digest(hashed.hexdigest(), file.tell())


def _open(path: Path) -> BinaryIO:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    return open(descriptor, "rb", buffering=0)  # noqa: PTH123 - a descriptor has no path, and the caller closes
