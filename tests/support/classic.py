"""Classic buckets for tests: every implementation of the port, and objects put as Backstage's own tools put them."""

from __future__ import annotations

import asyncio
import io
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from techdocs_server.adapters.blobs.s3_client import S3Credentials, S3Location, make_client
from techdocs_server.adapters.classic import s3_writer
from techdocs_server.adapters.classic.memory import MemoryClassicBucket
from techdocs_server.adapters.classic.memory_writer import MemoryClassicWriter
from techdocs_server.adapters.classic.s3 import CONNECTIONS, S3ClassicBucket
from techdocs_server.adapters.classic.s3_writer import S3ClassicWriter
from techdocs_server.ports.classic import ClassicBucket
from techdocs_server.ports.classic_writer import ClassicWriter

from tests.support.seaweedfs import ACCESS_KEY, BUCKET, SECRET_KEY, SeaweedFS

CLASSIC_BUCKETS = ("memory", "s3")


@dataclass
class MemoryObjects:
    """Objects of a bucket in memory."""

    bucket: MemoryClassicBucket

    async def put(self, **objects: bytes) -> None:
        """Put objects by their names."""
        self.bucket.objects |= objects

    async def remove(self, key: str) -> None:
        """Remove an object."""
        del self.bucket.objects[key]

    async def all(self) -> Mapping[str, bytes]:
        """Return every object there is."""
        return dict(self.bucket.objects)


@dataclass
class S3Objects:
    """Objects of a bucket of a server, below a prefix."""

    server: SeaweedFS
    bucket: str
    prefix: str = ""

    async def put(self, **objects: bytes) -> None:
        """Put objects by their names, without a media type, as techdocs-cli does."""
        await asyncio.to_thread(self._put, objects)

    def _put(self, objects: Mapping[str, bytes]) -> None:
        client = self.server.client
        for key, content in objects.items():
            client.put_object(self.bucket, self.prefix + key, io.BytesIO(content), len(content))

    async def remove(self, key: str) -> None:
        """Remove an object."""
        await asyncio.to_thread(self.server.client.remove_object, self.bucket, self.prefix + key)

    async def all(self) -> Mapping[str, bytes]:
        """Return every object there is, by its name below the prefix."""
        return await asyncio.to_thread(self._all)

    async def names(self) -> frozenset[str]:
        """Return the name of every object there is, below the prefix."""
        return await asyncio.to_thread(self._names)

    def _names(self) -> frozenset[str]:
        listed = self.server.client.list_objects(self.bucket, self.prefix, recursive=True)
        return frozenset((entry.object_name or "")[len(self.prefix) :] for entry in listed)

    def _all(self) -> Mapping[str, bytes]:
        client, found = self.server.client, {}
        for name in self._names():
            response = client.get_object(self.bucket, self.prefix + name)
            found[name] = response.read()
            response.close()
            response.release_conn()
        return found


@asynccontextmanager
async def open_classic(
    kind: str, server: SeaweedFS | None = None, *, case_preserved: bool = False
) -> AsyncIterator[tuple[ClassicBucket, MemoryObjects | S3Objects]]:
    """Open one of `CLASSIC_BUCKETS`, empty; those in S3 need a server, and get a prefix of their own in its bucket."""
    if kind == "memory":
        memory = MemoryClassicBucket(case_preserved=case_preserved)
        yield memory, MemoryObjects(memory)
        return
    assert server is not None
    # A bucket of its own for each would be more volumes than the server has.
    prefix = f"{uuid.uuid4().hex}/root/"
    bucket = classic_bucket(server.endpoint, BUCKET, prefix, case_preserved=case_preserved)
    try:
        yield bucket, S3Objects(server, BUCKET, prefix)
    finally:
        await bucket.close()


def classic_bucket(
    endpoint: str, bucket: str, prefix: str = "", *, case_preserved: bool = False, read_seconds: float = 20
) -> S3ClassicBucket:
    """Return a bucket of a server, with the tests' keys."""
    client, pool = make_client(
        S3Location(endpoint, bucket, region="us-east-1"),
        S3Credentials(ACCESS_KEY, SECRET_KEY),
        connections=CONNECTIONS,
        read_seconds=read_seconds,
    )
    return S3ClassicBucket(client, pool, bucket, prefix, case_preserved=case_preserved)


@asynccontextmanager
async def open_writer(objects: MemoryObjects | S3Objects) -> AsyncIterator[ClassicWriter]:
    """Open a bucket that `open_classic` gave for writing."""
    if isinstance(objects, MemoryObjects):
        yield MemoryClassicWriter(objects.bucket)
        return
    location = S3Location(objects.server.endpoint, objects.bucket, region="us-east-1")
    client, pool = make_client(location, S3Credentials(ACCESS_KEY, SECRET_KEY), connections=s3_writer.CONNECTIONS)
    writer = S3ClassicWriter(client, pool, objects.bucket, objects.prefix)
    try:
        yield writer
    finally:
        await writer.close()
