"""A spool in temporary files; what is small stays in memory."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from techdocs_server.adapters.thread_pool import ThreadPool
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.ports.spool import Spooled

# One chunk of a store: most pages, and little for the few dozen files that are under way at once.
_IN_MEMORY_BYTES = 256 * 1024
_THREADS = 4


def emptied(folder: Path) -> Path:
    """Make the folder of a spool, without what an earlier process left in it. Raises `StorageUnavailable`."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in folder.iterdir():
            left.unlink()
    except OSError as error:
        raise StorageUnavailable(f"the temporary folder: {error.strerror}") from error
    return folder


class LocalSpool:
    """A Spool in a folder, whose owner removes it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._threads = ThreadPool(_THREADS, name="spool")

    async def close(self) -> None:
        """End the threads. May be called twice."""
        await self._threads.close()

    async def take(self, chunks: AsyncIterator[bytes]) -> Spooled:
        """Read a stream to its end, as the port says."""
        place = _Place(self._folder)
        try:
            async for chunk in chunks:
                # In a thread, for to hash a large site takes seconds.
                await self._threads.run(place.note, chunk)
            if place.path is not None:
                await self._threads.run(place.flush)
        except BaseException as error:
            place.discard()
            if isinstance(error, OSError):
                raise StorageUnavailable(f"the temporary folder: {error.strerror}") from error
            raise
        return place.spooled()


class _Place:
    def __init__(self, folder: Path) -> None:
        self.path: Path | None = None
        self._folder = folder
        self._waiting = bytearray()
        self._sha256, self._md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        self._size = 0

    def note(self, chunk: bytes) -> None:
        self._waiting += chunk
        self._size += len(chunk)
        self._sha256.update(chunk)
        self._md5.update(chunk)
        if len(self._waiting) > _IN_MEMORY_BYTES:
            self.flush()

    def flush(self) -> None:
        if self.path is None:
            descriptor, name = tempfile.mkstemp(dir=self._folder)
            os.close(descriptor)
            self.path = Path(name)
        with self.path.open("ab") as file:
            file.write(self._waiting)
        self._waiting.clear()

    def spooled(self) -> Spooled:
        digest, path, content = Digest(self._sha256.hexdigest(), self._size), self.path, bytes(self._waiting)
        opened = (lambda: io.BytesIO(content)) if path is None else (lambda: path.open("rb"))
        return Spooled(digest, self._md5.hexdigest(), opened, self.discard)

    def discard(self) -> None:
        self._waiting.clear()
        if self.path is not None:
            self.path.unlink(missing_ok=True)
