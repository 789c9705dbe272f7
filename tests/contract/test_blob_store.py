"""What every BlobStore promises."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import pytest
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.errors import BlobMissing, DigestMismatch
from techdocs_server.ports.blobs import BlobStore

from tests.support.blob_content import read, stored, streamed
from tests.support.stores import BLOB_STORES, open_blob_store

CHUNK = 256 * 1024
SMALL = b"".join(b"%08d" % number for number in range(125))
# Ends in the middle of a chunk, and every byte range of it is unlike every other.
LARGE = b"".join(b"%08d" % number for number in range(100_000))
CONTENTS = pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])


@pytest.fixture(params=BLOB_STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BlobStore]:
    server = request.getfixturevalue("s3_server") if "s3" in request.param else None
    async with open_blob_store(request.param, tmp_path, server) as opened:
        yield opened


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * 1024 * 1024 + 5])
async def test_bytes_come_back_as_they_went_in(store: BlobStore, size: int) -> None:
    content = os.urandom(size)
    digest = await stored(store, content)
    assert await read(store, digest) == content
    assert await read(store, digest) == content


@CONTENTS
async def test_upload_may_come_in_chunks_of_any_size(store: BlobStore, content: bytes) -> None:
    digest = Digest.of(content)
    await store.put(digest, streamed(content, chunk_bytes=len(content)))
    other = Digest.of(content[1:])
    await store.put(other, streamed(content[1:], chunk_bytes=997))
    assert await read(store, digest) == content
    assert await read(store, other) == content[1:]


@CONTENTS
async def test_every_range_is_cut_exactly(store: BlobStore, content: bytes) -> None:
    digest = await stored(store, content)
    size = len(content)
    middle = size // 2
    ranges = [(0, 0), (0, 1), (0, size), (0, size + 9), (1, None), (middle, None), (middle, 10), (middle, 0)]
    ranges += [(size - 1, None), (size - 1, 5), (size, None), (size, 0), (size, 5), (3, size - 6)]
    for offset, length in ranges:
        end = size if length is None else offset + length
        assert await read(store, digest, offset=offset, length=length) == content[offset:end], (offset, length)


async def test_empty_blob_yields_nothing(store: BlobStore) -> None:
    digest = await stored(store, b"")
    assert [chunk async for chunk in store.get(digest)] == []
    assert await store.missing([digest]) == frozenset()


@CONTENTS
async def test_empty_range_yields_no_chunk(store: BlobStore, content: bytes) -> None:
    digest = await stored(store, content)
    assert [chunk async for chunk in store.get(digest, offset=len(content))] == []


async def test_chunks_hold_at_most_256_kib_and_are_never_empty(store: BlobStore) -> None:
    for content in (SMALL, LARGE, b"x" * CHUNK, b"x" * (CHUNK + 1), os.urandom(500 * 1024)):
        digest = await stored(store, content)
        assert {0 < len(chunk) <= CHUNK async for chunk in store.get(digest)} == {True}


@pytest.mark.parametrize(("offset", "length"), [(-1, None), (1001, None), (0, -1)])
async def test_range_outside_of_the_blob_is_refused(store: BlobStore, offset: int, length: int | None) -> None:
    digest = await stored(store, SMALL)
    with pytest.raises(ValueError, match=r"outside|negative"):
        await read(store, digest, offset=offset, length=length)


@CONTENTS
async def test_missing_blob_is_told_at_the_first_step(store: BlobStore, content: bytes) -> None:
    digest = Digest.of(content)
    with pytest.raises(BlobMissing) as raised:
        await anext(store.get(digest))
    assert raised.value.sha256 == digest.sha256
    with pytest.raises(BlobMissing):
        await anext(store.get(digest, offset=len(content)))
    await stored(store, content)
    assert await read(store, digest) == content


async def test_missing_names_exactly_what_is_not_stored(store: BlobStore) -> None:
    there = [await stored(store, b"there %d" % number) for number in range(3)]
    gone = [Digest.of(b"gone %d" % number) for number in range(3)]
    assert await store.missing([*there, *gone, *gone]) == frozenset(gone)
    assert await store.missing(there) == frozenset()
    assert await store.missing([]) == frozenset()


@CONTENTS
async def test_storing_again_succeeds_and_changes_nothing(store: BlobStore, content: bytes) -> None:
    digest = await stored(store, content)
    await stored(store, content)
    assert await read(store, digest) == content


@CONTENTS
@pytest.mark.parametrize("fault", ["short", "long", "empty", "other"])
async def test_upload_that_is_not_its_digest_stores_nothing(store: BlobStore, content: bytes, fault: str) -> None:
    sent = {"short": content[:-1], "long": content + b"!", "empty": b"", "other": b"?" + content[1:]}[fault]
    digest = Digest.of(content)
    with pytest.raises(DigestMismatch):
        await store.put(digest, streamed(sent))
    assert await store.missing([digest, Digest.of(sent)]) >= {digest}
    with pytest.raises(BlobMissing):
        await read(store, digest)
    await stored(store, content)
    assert await read(store, digest) == content


@CONTENTS
async def test_broken_upload_stores_nothing(store: BlobStore, content: bytes) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield content[:-5]
        raise ConnectionResetError("the uploader went away")

    digest = Digest.of(content)
    with pytest.raises(ConnectionResetError):
        await store.put(digest, broken())
    assert await store.missing([digest]) == {digest}


@CONTENTS
async def test_cancelled_upload_stores_nothing(store: BlobStore, content: bytes) -> None:
    reached = asyncio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        yield content[:-5]
        reached.set()
        await asyncio.Event().wait()

    digest = Digest.of(content)
    put = asyncio.create_task(store.put(digest, stalled()))
    async with asyncio.timeout(10):
        await reached.wait()
    put.cancel()
    with pytest.raises(asyncio.CancelledError):
        await put
    assert await store.missing([digest]) == {digest}


@CONTENTS
async def test_concurrent_puts_of_one_digest_all_succeed(store: BlobStore, content: bytes) -> None:
    digest = Digest.of(content)
    await asyncio.gather(*(store.put(digest, streamed(content)) for _ in range(20)))
    assert await store.missing([digest]) == frozenset()
    assert await read(store, digest) == content


async def test_many_blobs_are_stored_and_read_at_once(store: BlobStore) -> None:
    contents = [os.urandom(2000 + number) for number in range(60)]
    digests = await asyncio.gather(*(stored(store, content) for content in contents))
    assert await store.missing(digests) == frozenset()
    assert await asyncio.gather(*(read(store, digest) for digest in digests)) == contents


async def test_readers_of_one_blob_do_not_disturb_each_other(store: BlobStore) -> None:
    digest = await stored(store, LARGE)
    first, second = store.get(digest), store.get(digest, offset=100)
    interleaved = [(await anext(first), await anext(second)) for _ in range(3)]
    assert b"".join(one for one, _ in interleaved) == LARGE[: 3 * CHUNK]
    assert b"".join(other for _, other in interleaved) == LARGE[100 : 100 + 3 * CHUNK]
    await _close(first)
    await _close(second)


async def test_reader_may_leave_early(store: BlobStore) -> None:
    digest = await stored(store, LARGE)
    reader = store.get(digest)
    assert await anext(reader) == LARGE[:CHUNK]
    await _close(reader)
    assert await read(store, digest) == LARGE


@CONTENTS
async def test_size_is_part_of_the_identity(store: BlobStore, content: bytes) -> None:
    digest = await stored(store, content)
    with pytest.raises(DigestMismatch):
        await read(store, Digest(digest.sha256, digest.size_bytes - 1))


async def _close(reader: AsyncIterator[bytes]) -> None:
    assert isinstance(reader, AsyncGenerator)
    await reader.aclose()
