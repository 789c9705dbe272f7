"""What every BlobStore promises of local files."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pytest
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.errors import BlobMissing, DigestMismatch
from techdocs_server.ports.blobs import BlobStore, OpenFile

from tests.support.blob_content import read, stored
from tests.support.stores import BLOB_STORES, open_blob_store


@pytest.fixture(params=BLOB_STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BlobStore]:
    server = request.getfixturevalue("s3_server") if "s3" in request.param else None
    async with open_blob_store(request.param, tmp_path, server) as opened:
        yield opened


def files_of(*contents: bytes) -> dict[Digest, OpenFile]:
    return {Digest.of(content): partial(BytesIO, content) for content in contents}


def must_not_be_opened() -> BinaryIO:
    raise AssertionError("a stored file was opened")


def gone() -> BinaryIO:
    raise FileNotFoundError("it went away")


async def test_files_of_every_size_come_back(store: BlobStore) -> None:
    contents = [os.urandom(size) for size in (0, 1, 1000, 256 * 1024, 256 * 1024 + 1, 3_000_000)]
    contents += [b"%d" % number for number in range(300)]
    await store.put_files(files_of(*contents))
    for content in contents:
        assert await read(store, Digest.of(content)) == content


async def test_batches_larger_than_one_step_come_back(store: BlobStore) -> None:
    contents = [bytes([number]) * 30_000_000 for number in range(4)]
    await store.put_files(files_of(*contents))
    for content in contents:
        assert await read(store, Digest.of(content)) == content


async def test_stored_file_is_not_even_opened(store: BlobStore) -> None:
    there = await stored(store, b"there")
    await store.put_files({there: must_not_be_opened, **files_of(b"new")})
    assert await store.missing([there, Digest.of(b"new")]) == frozenset()


async def test_no_files_are_no_problem(store: BlobStore) -> None:
    await store.put_files({})


@pytest.mark.parametrize("content", [b"longer than it says", b"short", b"sam"])
async def test_file_that_is_not_its_digest_is_not_stored(store: BlobStore, content: bytes) -> None:
    digest = Digest.of(b"other")
    with pytest.raises(DigestMismatch):
        await store.put_files({digest: partial(BytesIO, content)})
    assert await store.missing([digest, Digest.of(content)]) == {digest, Digest.of(content)}
    with pytest.raises(BlobMissing):
        await read(store, digest)
    await store.put_files(files_of(b"other"))
    assert await read(store, digest) == b"other"


async def test_file_that_cannot_be_read_says_so_itself_and_others_are_stored_or_not(store: BlobStore) -> None:
    files = files_of(*(b"%d" % number for number in range(200)))
    lost = Digest.of(b"lost")
    with pytest.raises(FileNotFoundError):
        await store.put_files({**files, lost: gone})
    missing = await store.missing([*files, lost])
    assert lost in missing
    for digest in files.keys() - missing:
        assert Digest.of(await read(store, digest)) == digest
    await store.put_files(files)
    assert await store.missing(list(files)) == frozenset()
