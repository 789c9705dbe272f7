"""Hashing a tree, and copying what is hashed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from techdocs_server.adapters.blobs.os_problems import storage_problem
from techdocs_server.adapters.sources.known_files import KnownFiles
from techdocs_server.adapters.sources.tree import Stopped, TreeFile, TreeWalk, readable, unreadable
from techdocs_server.domain.errors import QuotaExceeded

_CHUNK_BYTES = 1024 * 1024
_ETAG_FORMAT = b"tree 1\n"
_OPEN_COPY = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class TreeCopy:
    """Reads every file of a walk once. With a folder to copy into, the bytes hashed are the bytes written.

    Only content and paths are copied: modes, times and owners are the copy's own.
    ``learnt`` is told the digests; those that the walk knows already are not computed.
    """

    def __init__(self, walk: TreeWalk, *, into: Path | None, learnt: KnownFiles | None = None) -> None:
        self._walk = walk
        self._into = None if into is None else os.fsencode(into) + b"/"
        self._learnt = learnt
        self._made: set[bytes] = set()
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
        if file.digest is not None:
            self._count(file.status.st_size, file.path)
            return file.digest
        if self._into is None:
            digest = hashlib.sha256()
            for chunk in self._chunks(file):
                digest.update(chunk)
            content_sha256 = digest.digest()
        else:
            content_sha256 = self._copy(file, self._into + file.path)
        if self._learnt is not None:
            self._learnt.learn(file.path, file.status, content_sha256)
        return content_sha256

    def _copy(self, file: TreeFile, target: bytes) -> bytes:
        digest = hashlib.sha256()
        copy = self._create(target)
        try:
            for chunk in self._chunks(file):
                digest.update(chunk)
                _write(copy, chunk)
        finally:
            os.close(copy)
        return digest.digest()

    def _chunks(self, file: TreeFile) -> Iterator[bytes]:
        size, taken = file.status.st_size, 0
        while True:
            # One byte more than there should be: a file that did not change takes one read, and a small buffer.
            wanted = min(_CHUNK_BYTES, max(size - taken, 0) + 1)
            chunk = _read(file, wanted)
            if not chunk:
                return
            taken += len(chunk)
            self._count(len(chunk), file.path)
            if self._walk.is_stopped():
                raise Stopped
            yield chunk
            if taken == size and len(chunk) < wanted:
                return

    def _count(self, size: int, path: bytes) -> None:
        limit = self._walk.limits.max_bytes
        self._bytes += size
        if self._bytes > limit:
            raise QuotaExceeded(f"the source is larger than {limit} bytes: {readable(path)} goes beyond")

    def _create(self, path: bytes) -> int:
        parent = path.rpartition(b"/")[0]
        try:
            if parent not in self._made:
                Path(os.fsdecode(parent)).mkdir(parents=True, exist_ok=True)
                self._made.add(parent)
            return os.open(path, _OPEN_COPY, 0o644)
        except OSError as error:
            # Nothing its author could mend.
            raise storage_problem(error) from error


def _read(file: TreeFile, size: int) -> bytes:
    try:
        return os.read(file.descriptor, size)
    except OSError as error:
        raise unreadable(file.path, error) from error


def _write(copy: int, chunk: bytes) -> None:
    rest = memoryview(chunk)
    try:
        while rest:
            rest = rest[os.write(copy, rest) :]
    except OSError as error:
        raise storage_problem(error) from error
