"""Writing the classic layout on any server that speaks S3."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import BinaryIO, TypeVar, TypeVarTuple

import urllib3
from minio import Minio

from techdocs_server.adapters.blobs.s3_problems import MISSING, reporting_s3_answers, reporting_s3_errors
from techdocs_server.adapters.classic.layout import folder_of
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.ports.classic import ClassicFile
from techdocs_server.ports.classic_writer import ClassicMark, ClassicUpload

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

CONNECTIONS = 8
_THREADS = 8
# The entity tag of an object in one piece is its MD5. A piece is held in memory while it is sent.
_PART_BYTES = 16 * 1024 * 1024
_MARK = "techdocs-revision"


class _NotThere(Exception):
    """An object that is not there."""


class S3ClassicWriter:
    """A ClassicWriter in a bucket, below a prefix ("" or "some/path/").

    Threads are bounded. A caller that is cancelled leaves at once; an upload whose
    content it closes then is not whole, and no server keeps such a one.
    """

    def __init__(self, client: Minio, pool: urllib3.PoolManager, bucket: str, prefix: str = "") -> None:
        self._client = client
        self._pool = pool
        self._bucket = bucket
        self._prefix = prefix
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="classic-write")

    async def close(self) -> None:
        """End the threads after the requests in flight, and close the connections."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        self._pool.clear()

    async def put(self, upload: ClassicUpload, content: BinaryIO) -> str:
        """Write a file, as the port says."""
        return await self._run(self._put, upload, content)

    async def remove(self, files: Sequence[ClassicFile]) -> None:
        """Remove objects, as the port says."""
        for file in files:
            await self._run(self._remove, file.key)

    async def mark(self, entity: EntityRef, path: str) -> ClassicMark | None:
        """Return how a file is marked, as the port says."""
        return await self._run(self._look, entity, path)

    def _key(self, entity: EntityRef, path: str) -> str:
        return f"{self._prefix}{folder_of(entity)}{path}"

    def _put(self, upload: ClassicUpload, content: BinaryIO) -> str:
        with reporting_s3_errors():
            written = self._client.put_object(
                self._bucket,
                self._key(upload.entity, upload.path),
                content,
                upload.size_bytes,
                content_type=upload.media_type,
                metadata={_MARK: upload.revision} if upload.revision else None,
                part_size=_PART_BYTES,
            )
        return (written.etag or "").strip('"')

    def _remove(self, key: str) -> None:
        with reporting_s3_errors():
            self._client.remove_object(self._bucket, key)

    def _look(self, entity: EntityRef, path: str) -> ClassicMark | None:
        try:
            with reporting_s3_answers(dict.fromkeys(MISSING, _NotThere())):
                found = self._client.stat_object(self._bucket, self._key(entity, path))
        except _NotThere:
            return None
        headers = {name.lower(): value for name, value in (found.metadata or {}).items()}
        revision = headers.get(f"x-amz-meta-{_MARK}")
        return ClassicMark(revision, found.last_modified or datetime.now(UTC)) if revision else None

    async def _run(self, step: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, step, *arguments)
        except RuntimeError as error:
            raise StorageUnavailable("it was closed") from error
