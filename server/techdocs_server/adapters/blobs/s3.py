"""Blobs as objects of a bucket, on any server that speaks S3."""

from __future__ import annotations

import asyncio
import hashlib
import io
import tempfile
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, TypeVar, TypeVarTuple

import urllib3
from minio import Minio

from techdocs_server.adapters.blobs.ranges import CHUNK_BYTES, byte_range, chunks_of, gathered
from techdocs_server.adapters.blobs.s3_client import S3Location
from techdocs_server.adapters.blobs.s3_download import S3Download
from techdocs_server.adapters.blobs.s3_problems import reporting_s3_errors
from techdocs_server.adapters.blobs.s3_sweep import S3Listing, delete_objects, key_of
from techdocs_server.adapters.thread_pool import ThreadPool
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.errors import BlobMissing, DigestMismatch, StorageUnavailable
from techdocs_server.ports.blobs import OpenFile, StoredBlob

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

CONNECTIONS = 32
_READERS, _WRITERS, _LOOKERS = 16, 8, 16
_PART_BYTES = 8 * 1024 * 1024
_READ_BYTES = 1024 * 1024
# A server answers a HEAD for an object of a missing bucket as it does for a missing object.
_BUCKET_SECONDS = 10.0


class S3BlobStore:
    """A BlobStore in a bucket: object ``PREFIXblobs/3f/3f1c…`` holds the blob of that SHA-256.

    Small blobs take one request each way and are always verified; larger ones are
    written to a temporary file first, so that nothing is sent whose digest is wrong, and
    read as they arrive. Threads are bounded, for reading, writing and looking apart. A caller that is
    cancelled leaves at once; its request ends by itself, at the client's timeouts.
    """

    def __init__(self, client: Minio, pool: urllib3.PoolManager, location: S3Location) -> None:
        self._client = client
        self._pool = pool
        self._location = location
        self._encryption = location.encrypted_by()
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="s3-read")
        self._writers = ThreadPoolExecutor(_WRITERS, thread_name_prefix="s3-write")
        self._lookers = ThreadPoolExecutor(_LOOKERS, thread_name_prefix="s3-look")
        self._sweeper = ThreadPool(1, name="s3-sweep")
        self._bucket_seen = 0.0

    async def check(self) -> None:
        """Find out whether the bucket can be used. Raises `StorageUnavailable`."""
        await self._run(self._lookers, self._check_bucket)

    async def close(self) -> None:
        """End the threads after the requests in flight, and close the connections."""
        for threads in (self._readers, self._writers, self._lookers):
            await asyncio.to_thread(threads.shutdown, cancel_futures=True)
        await self._sweeper.close()
        self._pool.clear()

    async def put(self, digest: Digest, content: AsyncIterable[bytes]) -> None:
        """Store bytes, as the port says."""
        if digest.size_bytes <= CHUNK_BYTES:
            whole = await gathered(digest, content)
            if Digest.of(whole) != digest:
                raise DigestMismatch(digest.sha256)
            await self._run(self._writers, self._upload, digest, io.BytesIO(whole))
            return
        if not await self.missing([digest]):
            return
        with tempfile.TemporaryFile() as file:
            await self._spool(digest, content, file)
            await asyncio.shield(self._run(self._writers, self._upload, digest, file))

    async def put_files(self, files: Mapping[Digest, OpenFile]) -> None:
        """Store files, as the port says: as many requests at once as there are threads."""
        missing = await self.missing(tuple(files))
        await asyncio.gather(
            *(self._run(self._writers, self._upload_file, digest, files[digest]) for digest in sorted(missing))
        )

    async def get(self, digest: Digest, *, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Yield bytes, as the port says. Raises `DigestMismatch` when whole ones are not what their digest says."""
        start, end = byte_range(digest, offset, length)
        if digest.size_bytes <= CHUNK_BYTES:
            content = await self._run(self._readers, self._whole, digest)
            for chunk in chunks_of(content, start, end):
                yield chunk
            return
        download = S3Download(self._open, digest, start, end)
        try:
            chunk = await self._run(self._readers, download.step)
            while chunk:
                yield chunk
                chunk = await self._run(self._readers, download.step) if download.has_more else b""
        finally:
            # Also when a step is still running for somebody who left: it ends at its timeout, then this does its work.
            self._readers.submit(download.close)

    async def missing(self, digests: Collection[Digest]) -> frozenset[Digest]:
        """Return those of the digests that are not stored. One request each, many at a time."""
        wanted = tuple(dict.fromkeys(digests))
        found = await asyncio.gather(*(self._run(self._lookers, self._is_stored, digest) for digest in wanted))
        missing = frozenset(digest for digest, is_stored in zip(wanted, found, strict=True) if not is_stored)
        if missing:
            await self._run(self._lookers, self._check_bucket)
        return missing

    async def stored(self) -> AsyncIterator[StoredBlob]:
        """Yield every blob, as the port says. One request for a thousand."""
        listing = S3Listing(self._client, self._location)
        while page := await self._sweeper.run(listing.page):
            for blob in page:
                yield blob

    async def delete(self, sha256s: Collection[str]) -> None:
        """Delete blobs, as the port says. One request for a thousand.

        A caller that is cancelled waits for the requests: none deletes anything after this returned.
        """
        await self._sweeper.run(delete_objects, self._client, self._location, sha256s)

    def _key(self, digest: Digest) -> str:
        return key_of(self._location, digest.sha256)

    def _is_stored(self, digest: Digest) -> bool:
        try:
            with reporting_s3_errors(digest):
                status = self._client.stat_object(self._location.bucket, self._key(digest))
        except BlobMissing:
            return False
        # Another size under this name is damage: storing it again mends that.
        return status.size == digest.size_bytes

    def _check_bucket(self) -> None:
        if time.monotonic() - self._bucket_seen < _BUCKET_SECONDS:
            return
        with reporting_s3_errors():
            if not self._client.bucket_exists(self._location.bucket):
                raise StorageUnavailable(f"the bucket {self._location.bucket} does not exist; create it")
        self._bucket_seen = time.monotonic()

    def _upload(self, digest: Digest, content: BinaryIO) -> None:
        with reporting_s3_errors():
            self._client.put_object(
                self._location.bucket,
                self._key(digest),
                content,
                digest.size_bytes,
                part_size=_PART_BYTES,
                sse=self._encryption,
            )

    def _upload_file(self, digest: Digest, open_file: OpenFile) -> None:
        with open_file() as file:
            # Before the first byte is sent: what is sent is stored.
            sha256, size = hashlib.sha256(), 0
            while part := file.read(_READ_BYTES):
                sha256.update(part)
                size += len(part)
            if Digest(sha256.hexdigest(), size) != digest:
                raise DigestMismatch(digest.sha256)
            file.seek(0)
            self._upload(digest, file)

    def _whole(self, digest: Digest) -> bytes:
        if not digest.size_bytes:
            if not self._is_stored(digest):
                raise BlobMissing(digest.sha256)
            return b""
        response = self._open(digest, 0, None)
        with reporting_s3_errors(digest):
            try:
                content: bytes = response.read(digest.size_bytes + 1)
            finally:
                response.close()
                response.release_conn()
        if Digest.of(content) != digest:
            raise DigestMismatch(digest.sha256)
        return content

    def _open(self, digest: Digest, start: int, end: int | None) -> urllib3.BaseHTTPResponse:
        """Begin a download. Raises `BlobMissing` and `StorageUnavailable`."""
        length = 0 if end is None else end - start
        try:
            with reporting_s3_errors(digest):
                return self._client.get_object(self._location.bucket, self._key(digest), offset=start, length=length)
        except BlobMissing:
            self._check_bucket()
            raise

    async def _spool(self, digest: Digest, content: AsyncIterable[bytes], file: BinaryIO) -> None:
        sha256, size = hashlib.sha256(), 0
        async for part in content:
            size += len(part)
            if size > digest.size_bytes:
                raise DigestMismatch(digest.sha256)
            sha256.update(part)
            await asyncio.to_thread(file.write, part)
        if Digest(sha256.hexdigest(), size) != digest:
            raise DigestMismatch(digest.sha256)
        await asyncio.to_thread(file.seek, 0)

    async def _run(self, threads: ThreadPoolExecutor, step: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, step, *arguments)
        except RuntimeError as error:
            raise StorageUnavailable("it was closed") from error
