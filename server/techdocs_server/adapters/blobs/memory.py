"""Blobs in memory: for tests, and for trying the service out."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Collection, Mapping
from datetime import UTC, datetime

from techdocs_server.adapters.blobs.ranges import byte_range, chunks_of, gathered
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.errors import BlobMissing, DigestMismatch
from techdocs_server.ports.blobs import OpenFile, StoredBlob


class MemoryBlobStore:
    """A BlobStore that forgets everything with its process. Has no bound."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}
        self._write_times: dict[str, datetime] = {}

    async def put(self, digest: Digest, content: AsyncIterable[bytes]) -> None:
        """Store bytes, as the port says, but for surviving a crash."""
        if digest.sha256 in self._contents:
            return
        whole = await gathered(digest, content)
        if Digest.of(whole) != digest:
            raise DigestMismatch(digest.sha256)
        self._contents[digest.sha256] = whole
        self._write_times[digest.sha256] = datetime.now(UTC)

    async def put_files(self, files: Mapping[Digest, OpenFile]) -> None:
        """Store the bytes of files. They are read here and now: what is kept in memory is small."""
        for digest, open_file in files.items():
            if digest.sha256 not in self._contents:
                with open_file() as file:
                    whole = file.read()
                await self.put(digest, _once(whole))

    async def get(self, digest: Digest, *, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Yield bytes, as the port says."""
        start, end = byte_range(digest, offset, length)
        content = self._contents.get(digest.sha256)
        if content is None:
            raise BlobMissing(digest.sha256)
        if len(content) != digest.size_bytes:
            raise DigestMismatch(digest.sha256)
        for chunk in chunks_of(content, start, end):
            yield chunk

    async def missing(self, digests: Collection[Digest]) -> frozenset[Digest]:
        """Return those of the digests that are not stored."""
        return frozenset(digest for digest in digests if digest.sha256 not in self._contents)

    async def stored(self) -> AsyncIterator[StoredBlob]:
        """Yield every blob."""
        for sha256, content in tuple(self._contents.items()):
            if sha256 in self._contents:
                yield StoredBlob(sha256, len(content), self._write_times[sha256])

    async def delete(self, sha256s: Collection[str]) -> None:
        """Forget blobs."""
        for sha256 in sha256s:
            self._contents.pop(sha256, None)
            self._write_times.pop(sha256, None)


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
