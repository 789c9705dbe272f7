"""A bucket that answers wrongly, slowly, half or not at all: readers are told what it is, and nothing is taken for missing."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from techdocs_server.adapters.blobs.s3 import S3BlobStore
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.errors import BlobMissing, DigestMismatch, StorageUnavailable

from tests.support.blob_content import read, stored, streamed
from tests.support.faulty_proxy import FaultyProxy, faulty_proxy
from tests.support.seaweedfs import SeaweedFS
from tests.support.stores import s3_store
from tests.support.waiting import eventually

SMALL, LARGE = os.urandom(1000), os.urandom(3_000_000)
CONTENTS = pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
# Four attempts, the pauses between them, and a machine that is busy.
GIVES_UP_SECONDS = 12.0


@dataclass
class Scene:
    store: S3BlobStore
    proxy: FaultyProxy


@pytest.fixture
async def scene(s3_server: SeaweedFS) -> AsyncIterator[Scene]:
    host, _, port = s3_server.endpoint.removeprefix("http://").partition(":")
    async with faulty_proxy(host, int(port)) as proxy:
        store = s3_store(proxy.endpoint, prefix=f"{uuid.uuid4().hex}/", read_seconds=1)
        try:
            yield Scene(store, proxy)
        finally:
            await store.close()


@CONTENTS
@pytest.mark.parametrize("status", [500, 503, 429])
async def test_a_busy_moment_is_waited_out(scene: Scene, content: bytes, status: int) -> None:
    scene.proxy.answers = [status, status]
    digest = await stored(scene.store, content)
    scene.store._pool.clear()
    scene.proxy.answers = [status]
    assert await read(scene.store, digest) == content
    scene.store._pool.clear()
    scene.proxy.answers = [status]
    assert await scene.store.missing([digest]) == frozenset()


@pytest.mark.parametrize("status", [500, 503, 0], ids=["500", "503", "silence"])
async def test_a_server_that_stays_busy_is_given_up_in_time(scene: Scene, status: int) -> None:
    digest = await stored(scene.store, SMALL)
    scene.store._pool.clear()
    scene.proxy.answer_always = status
    began = time.monotonic()
    for call in (read(scene.store, digest), stored(scene.store, LARGE), scene.store.missing([digest])):
        with pytest.raises(StorageUnavailable):
            await call
    assert time.monotonic() - began < 3 * GIVES_UP_SECONDS
    scene.proxy.answer_always = None
    assert await read(scene.store, digest) == SMALL


async def test_a_download_that_breaks_off_is_told_and_its_end_is_never_made_up(scene: Scene) -> None:
    digest = await stored(scene.store, LARGE)
    scene.store._pool.clear()
    scene.proxy.cut_after = 1_000_000
    got = bytearray()
    with pytest.raises(StorageUnavailable):
        async for chunk in scene.store.get(digest):
            got += chunk
    assert LARGE.startswith(bytes(got))
    assert len(got) < 1_000_000
    scene.proxy.cut_after = None
    assert await read(scene.store, digest) == LARGE


@CONTENTS
async def test_a_byte_that_changed_on_the_way_is_noticed(scene: Scene, content: bytes) -> None:
    digest = await stored(scene.store, content)
    scene.store._pool.clear()
    # Behind the head of the answer, in the content.
    scene.proxy.flip_at = 900 if content is SMALL else 2_000_000
    with pytest.raises(DigestMismatch):
        await read(scene.store, digest)


async def test_a_cancelled_reader_leaves_at_once(scene: Scene) -> None:
    digest = await stored(scene.store, SMALL)
    scene.store._pool.clear()
    scene.proxy.answer_always, asked = 0, scene.proxy.connections
    reading = asyncio.create_task(read(scene.store, digest))
    await eventually(lambda: scene.proxy.connections > asked, what="the request is under way")
    began = time.monotonic()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert time.monotonic() - began < 0.5


async def test_an_upload_that_breaks_off_leaves_nothing(scene: Scene) -> None:
    digest = Digest.of(LARGE)
    scene.proxy.answer_always = 500
    with pytest.raises(StorageUnavailable):
        await scene.store.put(digest, streamed(LARGE))
    scene.proxy.answer_always = None
    assert await scene.store.missing([digest]) == {digest}
    await scene.store.put(digest, streamed(LARGE))
    assert await read(scene.store, digest) == LARGE


async def test_a_bucket_that_is_gone_is_not_an_empty_one(s3_server: SeaweedFS) -> None:
    store = s3_store(s3_server.endpoint, bucket="nobody-made-this")
    try:
        for call in (read(store, Digest.of(SMALL)), store.missing([Digest.of(SMALL)]), store.check()):
            with pytest.raises(StorageUnavailable, match="does not exist"):
                await call
    finally:
        await store.close()


async def test_wrong_keys_are_told_as_that(s3_server: SeaweedFS) -> None:
    store = s3_store(s3_server.endpoint, secret_key="wrong")
    try:
        for call in (read(store, Digest.of(SMALL)), store.missing([Digest.of(SMALL)]), stored(store, SMALL)):
            with pytest.raises(StorageUnavailable, match="denies access"):
                await call
    finally:
        await store.close()


async def test_what_is_missing_is_missing(scene: Scene) -> None:
    with pytest.raises(BlobMissing):
        await read(scene.store, Digest.of(SMALL))
