"""A classic bucket on any server that speaks S3."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TypeVar, TypeVarTuple

import urllib3
from minio import Minio
from minio.datatypes import Object

from techdocs_server.adapters.blobs.ranges import range_of
from techdocs_server.adapters.blobs.s3_problems import reporting_s3_answers, reporting_s3_errors
from techdocs_server.adapters.classic.folders import CasedFolders
from techdocs_server.adapters.classic.layout import folder_of, inventory_of
from techdocs_server.adapters.classic.s3_object import S3ObjectDownload, gone
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.domain.site_path import path_problem
from techdocs_server.ports.classic import ClassicFile, ClassicInventory

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

CONNECTIONS = 24
_READERS, _LISTERS = 16, 8
MOST_FILES = 200_000
"""Files of one site. An entry is about 500 bytes in memory: 100 MB."""
_MD5_DIGITS = 32
_EPOCH = datetime.fromtimestamp(0, UTC)


class S3ClassicBucket:
    """A ClassicBucket in a bucket, below a prefix ("" or "some/path/").

    Names of folders are those of entities in lower case; with ``case_preserved`` they
    are looked for in any. Threads are bounded, for reading and listing apart. A caller
    that is cancelled leaves at once; its request ends by itself, at the client's timeouts.
    """

    def __init__(
        self, client: Minio, pool: urllib3.PoolManager, bucket: str, prefix: str = "", *, case_preserved: bool = False
    ) -> None:
        self._client = client
        self._pool = pool
        self._bucket = bucket
        self._prefix = prefix
        self._folders = CasedFolders(self._subfolders) if case_preserved else None
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="classic-read")
        self._listers = ThreadPoolExecutor(_LISTERS, thread_name_prefix="classic-list")

    async def check(self) -> None:
        """Find out whether the bucket can be listed. Raises `StorageUnavailable`."""
        await self._run(self._listers, self._subfolders, "")

    async def close(self) -> None:
        """End the threads after the requests in flight, and close the connections."""
        for threads in (self._readers, self._listers):
            await asyncio.to_thread(threads.shutdown, cancel_futures=True)
        self._pool.clear()

    async def files(self, entity: EntityRef) -> Sequence[ClassicFile]:
        """Return the files of a site, as the port says. More than `MOST_FILES` are `StorageUnavailable` too."""
        return await self._run(self._listers, self._files, entity)

    async def read(self, file: ClassicFile, *, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Yield bytes, as the port says."""
        start, end = range_of(file.size_bytes, offset, length)
        if start == end:
            return
        download = S3ObjectDownload(self._client, self._bucket, file, start, end)
        try:
            while download.has_more:
                yield await self._run(self._readers, download.step)
        finally:
            # Also when a step is still running for somebody who left: it ends at its timeout, then this does its work.
            self._readers.submit(download.close)

    async def etag_is_md5(self, file: ClassicFile) -> bool:
        """Say whether an entity tag is an MD5, as the port says."""
        return len(file.etag) == _MD5_DIGITS and await self._run(self._listers, self._is_plain, file)

    async def inventory(self) -> ClassicInventory:
        """Return what there is, as the port says: three levels of folders are listed, and what is in them is not."""
        return await self._run(self._listers, self._inventory)

    def _files(self, entity: EntityRef) -> Sequence[ClassicFile]:
        folder = folder_of(entity) if self._folders is None else self._folders.find(entity)
        if folder is None:
            return ()
        start = self._prefix + folder
        found = []
        for entry in self._listed(start, recursive=True):
            key = entry.object_name or ""
            if path_problem(key[len(start) :]) is None:
                modified = entry.last_modified or _EPOCH
                found.append(
                    ClassicFile(key[len(start) :], key, entry.size or 0, (entry.etag or "").strip('"'), modified)
                )
            if len(found) > MOST_FILES:
                raise StorageUnavailable(f"the folder of {entity} holds more than {MOST_FILES} files")
        return found

    def _subfolders(self, folder: str) -> Sequence[str]:
        start = self._prefix + folder
        listed = self._listed(start, recursive=False)
        return [(entry.object_name or "")[len(start) : -1] for entry in listed if entry.is_dir]

    def _inventory(self) -> ClassicInventory:
        folders: list[str] = [""]
        unmanaged: list[str] = []
        for _ in range(3):
            inner: list[str] = []
            for folder in folders:
                for entry in self._listed(self._prefix + folder, recursive=False):
                    name = (entry.object_name or "")[len(self._prefix) :]
                    (inner if entry.is_dir else unmanaged).append(name)
            folders = inner
        return inventory_of(folders, unmanaged, case_preserved=self._folders is not None)

    def _listed(self, start: str, *, recursive: bool) -> Iterator[Object]:
        with reporting_s3_errors():
            yield from self._client.list_objects(self._bucket, start, recursive=recursive)

    def _is_plain(self, file: ClassicFile) -> bool:
        with reporting_s3_answers(gone(file)):
            found = self._client.stat_object(self._bucket, file.key)
        headers = {name.lower(): value for name, value in (found.metadata or {}).items()}
        is_keyed = headers.get("x-amz-server-side-encryption", "AES256") != "AES256"
        return not is_keyed and "x-amz-server-side-encryption-customer-algorithm" not in headers

    async def _run(self, threads: ThreadPoolExecutor, step: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, step, *arguments)
        except RuntimeError as error:
            raise StorageUnavailable("it was closed") from error
