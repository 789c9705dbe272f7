"""What the cache keeps, and what it does not."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from techdocs_server.adapters.blobs.caching import CachingBlobStore
from techdocs_server.adapters.blobs.memory import MemoryBlobStore
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.errors import BlobMissing

from tests.support.blob_content import read, stored

KIB = 1024


class CountingBlobStore(MemoryBlobStore):
    """Counts what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[tuple[Digest, int, int | None]] = []

    def get(self, digest: Digest, *, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        self.reads.append((digest, offset, length))
        return super().get(digest, offset=offset, length=length)


@pytest.fixture
def inner() -> CountingBlobStore:
    return CountingBlobStore()


@pytest.fixture
def store(inner: CountingBlobStore) -> CachingBlobStore:
    return CachingBlobStore(inner, max_bytes=100 * KIB, max_blob_bytes=30 * KIB)


async def test_blob_is_read_from_the_inner_store_once(store: CachingBlobStore, inner: CountingBlobStore) -> None:
    digest = await stored(store, b"content")
    assert [await read(store, digest) for _ in range(3)] == [b"content"] * 3
    assert len(inner.reads) == 1


async def test_range_reads_and_keeps_the_whole_small_blob(store: CachingBlobStore, inner: CountingBlobStore) -> None:
    digest = await stored(store, b"content")
    assert await read(store, digest, offset=3, length=2) == b"te"
    assert await read(store, digest) == b"content"
    assert inner.reads == [(digest, 0, None)]


async def test_large_blob_passes_through_with_its_range(store: CachingBlobStore, inner: CountingBlobStore) -> None:
    content = bytes(30 * KIB + 1)
    digest = await stored(store, content)
    assert await read(store, digest, offset=5, length=100) == content[5:105]
    assert await read(store, digest) == content
    assert inner.reads == [(digest, 5, 100), (digest, 0, None)]
    assert store.size_bytes == 0


async def test_cache_never_holds_more_than_its_bound(store: CachingBlobStore) -> None:
    for number in range(20):
        await read(store, await stored(store, bytes([number]) * (7 * KIB)))
        assert store.size_bytes <= 100 * KIB
    assert store.size_bytes == 98 * KIB


async def test_blob_unused_for_longest_goes_first(store: CachingBlobStore, inner: CountingBlobStore) -> None:
    digests = [await stored(store, bytes([number]) * (25 * KIB)) for number in range(5)]
    for digest in digests[:4]:
        await read(store, digest)
    await read(store, digests[0])
    await read(store, digests[4])
    inner.reads.clear()
    for number in (0, 2, 3, 4, 1):
        await read(store, digests[number])
    assert [digest for digest, _, _ in inner.reads] == [digests[1]]


async def test_missing_blob_is_not_remembered(store: CachingBlobStore, inner: CountingBlobStore) -> None:
    digest = Digest.of(b"late")
    with pytest.raises(BlobMissing):
        await read(store, digest)
    await stored(inner, b"late")
    assert await read(store, digest) == b"late"


async def test_read_that_a_deletion_overtakes_is_not_remembered() -> None:
    class Slow(CountingBlobStore):
        async def get(self, digest: Digest, *, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
            async for chunk in super().get(digest, offset=offset, length=length):
                await slow.delete([digest.sha256])
                yield chunk

    slow = CachingBlobStore(Slow(), max_bytes=100 * KIB, max_blob_bytes=30 * KIB)
    digest = await stored(slow, b"content")
    assert await read(slow, digest) == b"content"
    assert slow.size_bytes == 0
    with pytest.raises(BlobMissing):
        await read(slow, digest)


async def test_forgotten_blobs_leave_their_room(store: CachingBlobStore) -> None:
    digests = [await stored(store, bytes([number]) * (10 * KIB)) for number in range(3)]
    for digest in digests:
        await read(store, digest)
    await store.delete([digest.sha256 for digest in digests[1:]])
    assert store.size_bytes == 10 * KIB


async def test_publishing_does_not_push_out_what_readers_use(store: CachingBlobStore, inner: CountingBlobStore) -> None:
    digest = await stored(store, b"read by many")
    await read(store, digest)
    for number in range(50):
        await stored(store, bytes([number]) * (10 * KIB))
    await read(store, digest)
    assert len(inner.reads) == 1


async def test_blob_larger_than_the_whole_cache_is_not_kept(inner: CountingBlobStore) -> None:
    store = CachingBlobStore(inner, max_bytes=10, max_blob_bytes=1000)
    digest = await stored(store, bytes(11))
    assert await read(store, digest) == bytes(11)
    assert store.size_bytes == 0
