"""Hashing a tree, and copying what is hashed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from techdocs_server.adapters.blobs.os_problems import storage_problem
from techdocs_server.adapters.sources.tree import Stopped, TreeFile, TreeWalk, readable, unreadable
from techdocs_server.domain.errors import QuotaExceeded

_CHUNK_BYTES = 1024 * 1024
_ETAG_FORMAT = b"tree 1\n"
_OPEN_COPY = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class TreeCopy:
    """Reads every file of a walk once. With a folder to copy into, the bytes hashed are the bytes written.

    Only content and paths are copied: modes, times and owners are the copy's own.
    """

    def __init__(self, walk: TreeWalk, *, into: Path | None) -> None:
        self._walk = walk
        self._into = into
        self._made: set[Path] = set()
        self._bytes = 0

    def etag(self, root: int) -> str:
        """Do it, and return the etag: SHA-256 over a format version and the sorted paths and digests of all files.

        Raises what the walk raises; `QuotaExceeded` beyond the limit of bytes;
        `BuildStepFailed` when a file cannot be read, `StorageUnavailable` when the
        copy cannot be written.
        """
        with closing(self._walk.files(root)) as files:
            digests = [(file.path, self._take(file)) for file in files]
        digest = hashlib.sha256(_ETAG_FORMAT)
        for path, content_sha256 in sorted(digests):
            # The length in front: no two lists of files give the same bytes.
            digest.update(b"%d:%b%b" % (len(path), path, content_sha256))
        return digest.hexdigest()

    def _take(self, file: TreeFile) -> bytes:
        digest = hashlib.sha256()
        copy = None if self._into is None else self._create(self._into / os.fsdecode(file.path))
        try:
            for chunk in self._chunks(file):
                digest.update(chunk)
                if copy is not None:
                    _write(copy, chunk)
        finally:
            if copy is not None:
                os.close(copy)
        return digest.digest()

    def _chunks(self, file: TreeFile) -> Iterator[bytes]:
        limit = self._walk.limits.max_bytes
        while chunk := _read(file):
            self._bytes += len(chunk)
            if self._bytes > limit:
                raise QuotaExceeded(f"the source is larger than {limit} bytes: {readable(file.path)} goes beyond")
            if self._walk.is_stopped():
                raise Stopped
            yield chunk

    def _create(self, path: Path) -> int:
        with _unwritable_as_failure():
            if path.parent not in self._made:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._made.add(path.parent)
            return os.open(path, _OPEN_COPY, 0o644)


def _read(file: TreeFile) -> bytes:
    try:
        return os.read(file.descriptor, _CHUNK_BYTES)
    except OSError as error:
        raise unreadable(file.path, error) from error


def _write(copy: int, chunk: bytes) -> None:
    with _unwritable_as_failure():
        rest = memoryview(chunk)
        while rest:
            rest = rest[os.write(copy, rest) :]


@contextmanager
def _unwritable_as_failure() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # Nothing its author could mend.
        raise storage_problem(error) from error
