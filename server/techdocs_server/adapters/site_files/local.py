"""Generated files on the local disk."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from techdocs_server.domain.digest import Digest
from techdocs_server.domain.errors import BuildFailureReason, BuildStepFailed, QuotaExceeded
from techdocs_server.domain.site_path import path_problem

_CHUNK_BYTES = 256 * 1024
_THREADS = 4


class LocalSiteFiles:
    """Walks by directory descriptors with O_NOFOLLOW, so a link is never followed, not even one made meanwhile."""

    def __init__(self, *, max_bytes: int, max_files: int) -> None:
        self._max_bytes = max_bytes
        self._max_files = max_files
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="site-files")

    def close(self) -> None:
        """Release the threads."""
        self._pool.shutdown()

    async def digests(self, root: Path) -> Mapping[str, Digest]:
        """See `SiteFiles`."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._digests, root)

    async def read(self, root: Path, path: str) -> AsyncIterator[bytes]:
        """See `SiteFiles`."""
        loop = asyncio.get_running_loop()
        chunks = _chunks(root, path)
        while chunk := await loop.run_in_executor(self._pool, next, chunks, b""):
            yield chunk

    def _digests(self, root: Path) -> dict[str, Digest]:
        found: dict[str, Digest] = {}
        total = 0
        for folder, _, names, descriptor in os.fwalk(root, follow_symlinks=False):
            prefix = "" if Path(folder) == root else f"{Path(folder).relative_to(root).as_posix()}/"
            for name in names:
                digest = _digest_at(descriptor, name)
                if digest is None:
                    continue
                if problem := path_problem(prefix + name):
                    raise BuildStepFailed(
                        f"the site has a file named {prefix + name!r}, which {problem}",
                        reason=BuildFailureReason.OUTPUT_REFUSED,
                    )
                found[prefix + name] = digest
                total += digest.size_bytes
                self._check(len(found), total)
        return found

    def _check(self, files: int, total: int) -> None:
        if files > self._max_files:
            raise QuotaExceeded(f"the site has more than {self._max_files} files; the operator sets site_max_files")
        if total > self._max_bytes:
            raise QuotaExceeded(f"the site has more than {self._max_bytes} bytes; the operator sets site_max_bytes")


def _digest_at(directory: int, name: str) -> Digest | None:
    """Return the digest of a regular file, None for anything else."""
    if not stat.S_ISREG(os.lstat(name, dir_fd=directory).st_mode):
        return None
    # O_NONBLOCK: a pipe put in the file's place must not block the walk.
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123 - a descriptor has no path
        hashed = hashlib.file_digest(file, "sha256")
        return Digest(hashed.hexdigest(), file.tell())


def _chunks(root: Path, path: str) -> Iterator[bytes]:
    descriptor = os.open(root / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123 - a descriptor has no path
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
