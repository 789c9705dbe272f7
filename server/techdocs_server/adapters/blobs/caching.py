"""Small blobs kept in memory, in front of any blob store.

Blobs never change, so nothing is ever stale. Those that are deleted are forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterable, AsyncIterator, Collection, Mapping

from techdocs_server.adapters.blobs.ranges import byte_range, chunks_of, gathered
from techdocs_server.domain.digest import Digest
from techdocs_server.ports.blobs import OpenFile, StoredBlob, SweepableBlobStore


class CachingBlobStore:
    """A BlobStore that remembers what was read lately.

    Keeps blobs of at most ``max_blob_bytes`` each and ``max_bytes`` together, and
    drops the one unused for longest. A hit asks neither the inner store nor a
    thread. Larger blobs pass through untouched and are never gathered.

    Writes pass through and are not kept: a publish would push out what readers
    use. Two first readers of one blob at once both read it.
    """

    def __init__(self, inner: SweepableBlobStore, *, max_bytes: int, max_blob_bytes: int) -> None:
        self._inner = inner
        self._max_bytes = max_bytes
        self._max_blob_bytes = min(max_blob_bytes, max_bytes)
        self._contents: OrderedDict[Digest, bytes] = OrderedDict()
        self._size_bytes = 0
        self._deletions = 0

    @property
    def inner(self) -> SweepableBlobStore:
        """The store behind the cache."""
        return self._inner

    @property
    def size_bytes(self) -> int:
        """Bytes kept now."""
        return self._size_bytes

    async def put(self, digest: Digest, content: AsyncIterable[bytes]) -> None:
        """Store bytes in the inner store."""
        await self._inner.put(digest, content)

    async def put_files(self, files: Mapping[Digest, OpenFile]) -> None:
        """Store files in the inner store."""
        await self._inner.put_files(files)

    def get(self, digest: Digest, *, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Yield bytes, as the port says; a range of a small blob reads and keeps all of it."""
        if digest.size_bytes > self._max_blob_bytes:
            return self._inner.get(digest, offset=offset, length=length)
        return self._kept_range(digest, offset, length)

    async def missing(self, digests: Collection[Digest]) -> frozenset[Digest]:
        """Ask the inner store: a kept blob may be damaged there, and only a put mends that."""
        return await self._inner.missing(digests)

    def stored(self) -> AsyncIterator[StoredBlob]:
        """Yield what is in the inner store."""
        return self._inner.stored()

    async def delete(self, sha256s: Collection[str]) -> None:
        """Delete from the inner store, and forget, also when that fails half-way."""
        gone = frozenset(sha256s)
        try:
            await self._inner.delete(gone)
        finally:
            self._deletions += 1
            for digest in [digest for digest in self._contents if digest.sha256 in gone]:
                del self._contents[digest]
                self._size_bytes -= digest.size_bytes

    async def _kept_range(self, digest: Digest, offset: int, length: int | None) -> AsyncIterator[bytes]:
        start, end = byte_range(digest, offset, length)
        for chunk in chunks_of(await self._whole(digest), start, end):
            yield chunk

    async def _whole(self, digest: Digest) -> bytes:
        kept = self._contents.get(digest)
        if kept is not None:
            self._contents.move_to_end(digest)
            return kept
        deletions = self._deletions
        content = await gathered(digest, self._inner.get(digest))
        if deletions == self._deletions:  # else it may be one of those that were deleted meanwhile
            self._keep(digest, content)
        return content

    def _keep(self, digest: Digest, content: bytes) -> None:
        if digest in self._contents:
            return
        self._contents[digest] = content
        self._size_bytes += digest.size_bytes
        while self._size_bytes > self._max_bytes:
            dropped, _ = self._contents.popitem(last=False)
            self._size_bytes -= dropped.size_bytes
