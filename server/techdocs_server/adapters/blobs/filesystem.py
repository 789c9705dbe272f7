"""Blobs as files of a local disk."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Collection, Mapping
from pathlib import Path

from techdocs_server.adapters.blobs.blob_files import SHARDS, BlobFiles, shard_of
from techdocs_server.adapters.blobs.blob_reader import BlobReader
from techdocs_server.adapters.blobs.file_batches import FileBatches
from techdocs_server.adapters.blobs.folder_syncs import FolderSyncs
from techdocs_server.adapters.blobs.new_blob import NewBlob
from techdocs_server.adapters.blobs.ranges import CHUNK_BYTES, byte_range, gathered
from techdocs_server.adapters.thread_pool import ThreadPool
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.errors import DigestMismatch
from techdocs_server.ports.blobs import OpenFile, StoredBlob

_READERS = 8
_WRITERS = 8
_WRITE_BYTES = 4 * CHUNK_BYTES
"""1 MiB: a hop to a thread costs about 0.1 ms, writing this much about 1 ms."""


class FilesystemBlobStore:
    """A BlobStore below one folder. See `BlobFiles` for the layout and the order of a put.

    Constructing makes the folders and removes what dead processes left; it blocks
    for some milliseconds and raises `StorageUnavailable`. Call `close` in the end.
    Several processes may share one root. Files get the permissions that the umask
    leaves.

    Readers and writers have threads of their own: a publish that waits for the
    disk does not keep a page waiting. A put holds at most 256 KiB of a small blob
    or about 1 MiB of a large one in memory.
    """

    def __init__(self, root: Path) -> None:
        self._files = BlobFiles(root)
        self._readers = ThreadPool(_READERS, name="blob-read")
        self._writers = ThreadPool(_WRITERS, name="blob-write")
        self._folders = FolderSyncs(self._files.sync, threads=self._writers)
        self._batches = FileBatches(self._files, threads=self._writers)

    async def close(self) -> None:
        """End the threads after what is in flight. Later calls raise `StorageUnavailable`."""
        await self._readers.close()
        await self._writers.close()
        self._files.close()

    async def put(self, digest: Digest, content: AsyncIterable[bytes]) -> None:
        """Store bytes, as the port says. A blob that was found damaged is written anew."""
        if digest.size_bytes <= CHUNK_BYTES:
            whole = await gathered(digest, content)
            written = await self._writers.run(self._files.store, digest, whole)
        else:
            written = await self._write(digest, content)
        if written:
            await self._folders.synced(shard_of(digest))
            self._files.trust(digest)

    async def put_files(self, files: Mapping[Digest, OpenFile]) -> None:
        """Store files, as the port says. See `FileBatches`."""
        await self._batches.put(files)

    async def get(self, digest: Digest, *, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Yield bytes, as the port says. Raises `DigestMismatch` when the stored ones are damaged.

        A blob of at most 256 KiB takes one hop to a thread and is always verified.
        A larger one takes a hop for each chunk, and is verified when all of it is
        read: then the last chunk is held back until the digest is known to be right.
        """
        start, end = byte_range(digest, offset, length)
        if digest.size_bytes <= CHUNK_BYTES:
            content = await self._readers.run(self._files.read, digest)
            if start < end:
                yield content[start:end]
            return
        reader = self._files.reader(digest, start, end)
        try:
            chunk = await self._step(reader, digest)
            while chunk:
                yield chunk
                chunk = await self._step(reader, digest) if reader.has_more else b""
        finally:
            reader.close()

    async def missing(self, digests: Collection[Digest]) -> frozenset[Digest]:
        """Return those of the digests that are not stored, or are known to be damaged. One hop."""
        return await self._readers.run(self._files.missing, digests)

    async def stored(self) -> AsyncIterator[StoredBlob]:
        """Yield every blob, as the port says. One hop for each of the 256 folders."""
        for shard in SHARDS:
            for blob in await self._writers.run(self._files.listed, shard):
                yield blob

    async def delete(self, sha256s: Collection[str]) -> None:
        """Delete blobs, as the port says. One hop; a reader in the middle of one gets all of it."""
        await self._writers.run(self._files.delete, sha256s)

    async def _step(self, reader: BlobReader, digest: Digest) -> bytes:
        try:
            return await self._readers.run(reader.step)
        except DigestMismatch:
            self._files.doubt(digest)
            raise

    async def _write(self, digest: Digest, content: AsyncIterable[bytes]) -> bool:
        if await self._writers.run(self._files.is_stored, digest):
            return False
        new = self._files.new(digest)
        try:
            rest = await self._append(new, content)
            await self._writers.run(self._finish, new, rest)
        except BaseException:
            await self._writers.run_to_end(new.discard)
            raise
        return True

    async def _append(self, new: NewBlob, content: AsyncIterable[bytes]) -> bytearray:
        """Write content but for less than 1 MiB in the end, which is returned."""
        waiting = bytearray()
        async for part in content:
            waiting += part
            if len(waiting) >= _WRITE_BYTES:
                await self._writers.run(new.write, waiting)
                waiting = bytearray()
        return waiting

    def _finish(self, new: NewBlob, rest: bytearray) -> None:
        new.write(rest)
        self._files.finish(new)
