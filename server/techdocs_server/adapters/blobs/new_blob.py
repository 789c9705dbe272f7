"""A blob being written. Blocking."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from io import FileIO
from pathlib import Path

from techdocs_server.adapters.blobs.os_problems import reporting_os_errors
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.errors import DigestMismatch


class NewBlob:
    """A temporary file that becomes a blob, or is discarded.

    Whoever makes one calls `discard` in the end, whatever happened. The methods
    raise `StorageUnavailable` for what the operating system refuses.
    """

    def __init__(self, digest: Digest, path: Path) -> None:
        self.digest = digest
        self.path = path
        self._hash = hashlib.sha256()
        self._size_bytes = 0
        self._file: FileIO | None = None

    def write(self, content: bytes | bytearray) -> None:
        """Append bytes. Raises `DigestMismatch` as soon as they are too many."""
        self._size_bytes += len(content)
        if self._size_bytes > self.digest.size_bytes:
            raise DigestMismatch(self.digest.sha256)
        self._hash.update(content)
        rest = memoryview(content)
        with reporting_os_errors():
            file = self._opened()
            # A disk that is nearly full takes a part and refuses the next.
            while rest:
                rest = rest[file.write(rest) :]

    def seal(self) -> None:
        """Check the digest and make the bytes survive a crash. Raises `DigestMismatch`."""
        if self._size_bytes != self.digest.size_bytes or self._hash.hexdigest() != self.digest.sha256:
            raise DigestMismatch(self.digest.sha256)
        with reporting_os_errors():
            file = self._opened()
            os.fsync(file.fileno())
            file.close()

    def discard(self) -> None:
        """Remove the file, if it was not moved into place. May be called twice."""
        if self._file is None:
            return
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _opened(self) -> FileIO:
        if self._file is None:
            self._file = self.path.open("xb", buffering=0)
        return self._file
