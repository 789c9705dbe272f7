"""Snapshots as objects of a bucket, on any server that speaks S3."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Sequence

from minio import Minio
from minio.deleteobjects import DeleteObject
from minio.error import S3Error

from techdocs_server.adapters.blobs.s3_client import S3Location
from techdocs_server.adapters.blobs.s3_problems import is_missing, reporting_s3_errors
from techdocs_server.adapters.snapshots.names import folder_of, keys_of, newest_of, path_of, pruned
from techdocs_server.adapters.thread_pool import ThreadPool
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.domain.site_snapshot import SiteSnapshot, SnapshotKey
from techdocs_server.ports.site_snapshots import FoundSnapshot


class S3SiteSnapshots:
    """SiteSnapshots in a bucket: objects below ``PREFIXsites/``. Call `close` in the end.

    One thread: nobody waits for a snapshot, and requests for blobs go first.
    """

    def __init__(self, client: Minio, location: S3Location) -> None:
        """Raises `ValueError` for an encryption that is none."""
        self._client = client
        self._bucket = location.bucket
        self._prefix = f"{location.prefix}sites/"
        self._encryption = location.encrypted_by()
        self._threads = ThreadPool(1, name="s3-snapshots")

    async def close(self) -> None:
        """End the thread after the request in flight. Later calls raise `StorageUnavailable`."""
        await self._threads.close()

    async def write(self, snapshot: SiteSnapshot) -> None:
        """Store a snapshot, as the port says."""
        await self._threads.run(self._write, snapshot)

    async def newest(self) -> AsyncIterator[FoundSnapshot]:
        """Yield every site of which there is a snapshot. One request for a thousand, and one for each site."""
        paths = await self._threads.run(self._paths, "")
        async for found in newest_of(keys_of(paths), self._read):
            yield found

    async def prune(self, entity: EntityRef) -> None:
        """Remove snapshots of a site but the newest. One request, and another when there are any."""
        await self._threads.run(self._prune, entity)

    def _write(self, snapshot: SiteSnapshot) -> None:
        content = snapshot.to_json()
        key = self._prefix + path_of(snapshot.entity, snapshot.key)
        with reporting_s3_errors():
            self._client.put_object(self._bucket, key, io.BytesIO(content), len(content), sse=self._encryption)

    def _paths(self, folder: str) -> Sequence[str]:
        with reporting_s3_errors():
            found = self._client.list_objects(self._bucket, prefix=self._prefix + folder, recursive=True)
            return [(each.object_name or "").removeprefix(self._prefix) for each in found]

    def _prune(self, entity: EntityRef) -> None:
        old = pruned(keys_of(self._paths(f"{folder_of(entity)}/")).get(entity, []))
        if not old:
            return
        objects = [DeleteObject(self._prefix + path_of(entity, key)) for key in old]
        with reporting_s3_errors():
            problems = [error for error in self._client.remove_objects(self._bucket, objects) if not is_missing(error)]
        if problems:
            raise StorageUnavailable(f"the S3 server did not delete {len(problems)} objects ({problems[0].code})")

    async def _read(self, entity: EntityRef, key: SnapshotKey) -> bytes | None:
        return await self._threads.run(self._content, self._prefix + path_of(entity, key))

    def _content(self, key: str) -> bytes | None:
        with reporting_s3_errors():
            try:
                response = self._client.get_object(self._bucket, key)
            except S3Error as error:
                if is_missing(error):
                    return None
                raise
            try:
                return bytes(response.read())
            finally:
                response.close()
                response.release_conn()
