"""Many local files into a blob store of files, with few waits for the disk.

To make one file survive a crash takes the disk some milliseconds, to make a hundred
survive takes not much longer when they are all written before the first is waited
for. So files go in batches, and each step of a put is done for a whole batch before
the next step begins: write aside, sync, rename, sync the folders.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from techdocs_server.adapters.blobs.blob_files import BlobFiles, shard_of
from techdocs_server.adapters.blobs.new_blob import NewBlob
from techdocs_server.adapters.thread_pool import ThreadPool
from techdocs_server.domain.digest import Digest
from techdocs_server.ports.blobs import OpenFile

T = TypeVar("T")

# Files of a batch are open all the while: 128 of the 1,024 that a process may often open.
_MOST_FILES = 128
_MOST_BYTES = 64 * 1024 * 1024
_READ_BYTES = 1024 * 1024
_WRITERS = 2
"""They hash at the same time; more of them would wait for each other to make files in one folder."""
_SYNCERS = 8


@dataclass(frozen=True, slots=True)
class _Upload:
    new: NewBlob
    open_file: OpenFile

    def write(self) -> None:
        # In one go: a cancelled caller waits for it, a second for the largest file that a build may make.
        with self.open_file() as file:
            while part := file.read(_READ_BYTES):
                self.new.write(part)


class FileBatches:
    """Puts files with the threads of a store. What holds when a put breaks off: see `BlobFiles`."""

    def __init__(self, files: BlobFiles, *, threads: ThreadPool) -> None:
        self._files = files
        self._threads = threads

    async def put(self, files: Mapping[Digest, OpenFile]) -> None:
        """See `BlobStore.put_files`."""
        missing = sorted(await self._threads.run(self._files.missing, tuple(files)))
        for digests in _batches(missing):
            await self._place([_Upload(self._files.new(digest), files[digest]) for digest in digests])
        # Once for all batches: a folder gets files from most of them.
        await self._spread(self._sync, sorted({shard_of(digest) for digest in missing}), _SYNCERS)
        for digest in missing:
            self._files.trust(digest)

    async def _place(self, uploads: Sequence[_Upload]) -> None:
        blobs = [upload.new for upload in uploads]
        try:
            await self._spread(_Upload.write, uploads, _WRITERS)
            await self._spread(NewBlob.seal, blobs, _SYNCERS)
            await self._threads.run(_each, self._files.place, blobs)
        finally:
            await self._threads.run_to_end(_each, NewBlob.discard, blobs)

    def _sync(self, shard: str) -> None:
        self._files.sync([shard])

    async def _spread(self, step: Callable[[T], None], items: Sequence[T], threads: int) -> None:
        """Do a step with each item, on several threads. None of them runs any more when this returns or raises."""
        shares = [items[start::threads] for start in range(min(threads, len(items)))]
        outcomes = await asyncio.gather(
            *(self._threads.run(_each, step, share) for share in shares), return_exceptions=True
        )
        for outcome in outcomes:
            if outcome is not None:
                raise outcome


def _each(step: Callable[[T], None], items: Sequence[T]) -> None:
    for item in items:
        step(item)


def _batches(digests: Sequence[Digest]) -> Iterator[Sequence[Digest]]:
    batch: list[Digest] = []
    size = 0
    for digest in digests:
        if batch and (len(batch) == _MOST_FILES or size + digest.size_bytes > _MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(digest)
        size += digest.size_bytes
    if batch:
        yield batch
