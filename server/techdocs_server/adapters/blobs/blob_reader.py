"""A large blob being read. Blocking."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

from techdocs_server.adapters.blobs.os_problems import reporting_os_errors
from techdocs_server.adapters.blobs.ranges import CHUNK_BYTES
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.errors import DigestMismatch


class BlobReader:
    """Reads a range of a file, one chunk a step; the first step opens the file.

    A range that is the whole blob is hashed on the way, and its last chunk is not
    handed over unless the digest is right: whoever got all bytes got the right
    ones. Part of a blob cannot be checked.

    Whoever makes one calls `close` in the end, whatever happened.
    """

    def __init__(self, open_file: Callable[[], int], digest: Digest, start: int, end: int) -> None:
        self._open_file = open_file
        self._descriptor: int | None = None
        self._digest = digest
        self._position = start
        self._end = end
        self._hash = hashlib.sha256() if (start, end) == (0, digest.size_bytes) else None

    @property
    def has_more(self) -> bool:
        """Whether another step would return bytes."""
        return self._position < self._end

    def step(self) -> bytes:
        """Return the next chunk, or nothing when there are no more.

        Raises what opening raises, `DigestMismatch` when the file is not what its
        digest says, and `StorageUnavailable` when it cannot be read.
        """
        with reporting_os_errors():
            descriptor = self._opened()
            chunk = os.pread(descriptor, min(CHUNK_BYTES, self._end - self._position), self._position)
        if self.has_more and not chunk:
            raise DigestMismatch(self._digest.sha256)
        self._position += len(chunk)
        if self._hash is not None:
            self._hash.update(chunk)
            if not self.has_more and self._hash.hexdigest() != self._digest.sha256:
                raise DigestMismatch(self._digest.sha256)
        return chunk

    def close(self) -> None:
        """Close the file. Does not block: the file was only read. May be called twice."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _opened(self) -> int:
        if self._descriptor is None:
            self._descriptor = self._open_file()
            if os.fstat(self._descriptor).st_size != self._digest.size_bytes:
                raise DigestMismatch(self._digest.sha256)
        return self._descriptor
