"""What every blob store promises of listing and deleting its blobs."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.errors import BlobMissing, StorageUnavailable
from techdocs_server.ports.blobs import StoredBlob, SweepableBlobStore

from tests.support.blob_content import read, stored
from tests.support.stores import BLOB_STORES, open_blob_store

LARGE = b"".join(b"%08d" % number for number in range(100_000))


@pytest.fixture(params=BLOB_STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SweepableBlobStore]:
    server = request.getfixturevalue("s3_server") if "s3" in request.param else None
    async with open_blob_store(request.param, tmp_path, server) as opened:
        yield opened


async def test_every_blob_is_listed_with_its_size_and_the_time_of_its_writing(store: SweepableBlobStore) -> None:
    # Times of a store may be whole seconds.
    before = datetime.now(UTC) - timedelta(seconds=2)
    digests = [await stored(store, content) for content in (b"", b"small", LARGE)]
    listed = await _listed(store)
    assert {blob.sha256: blob.size_bytes for blob in listed} == {each.sha256: each.size_bytes for each in digests}
    assert len(listed) == 3
    for blob in listed:
        assert before <= blob.write_time <= datetime.now(UTC) + timedelta(seconds=2)


async def test_empty_store_lists_nothing(store: SweepableBlobStore) -> None:
    assert await _listed(store) == []


async def test_listing_goes_on_past_one_page_of_the_store(store: SweepableBlobStore) -> None:
    contents = [b"%d" % number for number in range(1_010)]
    await store.put_files({Digest.of(content): partial(io.BytesIO, content) for content in contents})
    digests = [Digest.of(content) for content in contents]
    assert sorted(blob.sha256 for blob in await _listed(store)) == sorted(digest.sha256 for digest in digests)
    await store.delete([digest.sha256 for digest in digests[5:]])
    assert {blob.sha256 for blob in await _listed(store)} == {digest.sha256 for digest in digests[:5]}


async def test_deleted_blob_is_missing_and_the_others_stay(store: SweepableBlobStore) -> None:
    gone, stays = await stored(store, b"gone"), await stored(store, b"stays")
    assert await read(store, gone) == b"gone"  # a cache has it now
    await store.delete([gone.sha256])
    assert await store.missing([gone, stays]) == {gone}
    with pytest.raises(BlobMissing):
        await read(store, gone)
    assert await read(store, stays) == b"stays"


async def test_deleting_again_or_what_never_was_succeeds(store: SweepableBlobStore) -> None:
    gone = await stored(store, b"gone")
    for _ in range(2):
        await store.delete([gone.sha256, Digest.of(b"never").sha256])
    await store.delete([])
    assert await _listed(store) == []


async def test_deleted_blob_can_be_stored_again(store: SweepableBlobStore) -> None:
    for _ in range(3):
        digest = await stored(store, b"back")
        assert await read(store, digest) == b"back"
        await store.delete([digest.sha256])
    await stored(store, b"back")
    assert await store.missing([digest]) == frozenset()


async def test_deletion_beside_puts_of_others_in_the_same_folder_loses_none(store: SweepableBlobStore) -> None:
    doomed = [await stored(store, os.urandom(10)) for _ in range(60)]
    deletions = asyncio.gather(*(store.delete([digest.sha256]) for digest in doomed))
    kept = await asyncio.gather(*(stored(store, os.urandom(100)) for _ in range(60)))
    await deletions
    assert {blob.sha256 for blob in await _listed(store)} == {digest.sha256 for digest in kept}
    assert await store.missing(kept) == frozenset()


async def test_reader_of_a_blob_that_is_deleted_gets_no_other_bytes(store: SweepableBlobStore) -> None:
    digest = await stored(store, LARGE)
    reader = store.get(digest)
    begin = await anext(reader)
    await store.delete([digest.sha256])
    try:
        rest = b"".join([chunk async for chunk in reader])
    except (BlobMissing, StorageUnavailable):
        return
    assert begin + rest == LARGE


async def _listed(store: SweepableBlobStore) -> list[StoredBlob]:
    return [blob async for blob in store.stored()]
