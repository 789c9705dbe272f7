"""What every ClassicWriter promises."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from techdocs_server.domain.entity import EntityRef
from techdocs_server.ports.classic import ClassicBucket
from techdocs_server.ports.classic_writer import ClassicUpload, ClassicWriter

from tests.support.classic import CLASSIC_BUCKETS, MemoryObjects, S3Objects, open_classic, open_writer

DEMO = EntityRef("default", "component", "demo")
REVISION = "a" * 64


@dataclass
class Scene:
    bucket: ClassicBucket
    objects: MemoryObjects | S3Objects
    writer: ClassicWriter

    async def put(self, path: str, content: bytes, *, media_type: str = "text/plain", revision: str = "") -> str:
        return await self.writer.put(ClassicUpload(DEMO, path, len(content), media_type, revision), io.BytesIO(content))


@pytest.fixture(params=CLASSIC_BUCKETS)
async def scene(request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    server = request.getfixturevalue("s3_server") if "s3" in request.param else None
    async with open_classic(request.param, server) as (bucket, objects), open_writer(objects) as writer:
        yield Scene(bucket, objects, writer)


@pytest.mark.parametrize("size", [0, 10, 300_000, 6_000_000])
async def test_a_file_is_listed_with_the_entity_tag_of_its_write(scene: Scene, size: int) -> None:
    content = os.urandom(size)
    etag = await scene.put("größe/a+b.txt", content)
    assert etag == hashlib.md5(content, usedforsecurity=False).hexdigest()
    [file] = await scene.bucket.files(DEMO)
    assert (file.path, file.size_bytes, file.etag) == ("größe/a+b.txt", size, etag)
    assert await scene.objects.all() == {"default/component/demo/größe/a+b.txt": content}


async def test_a_write_replaces_the_file_and_its_mark(scene: Scene) -> None:
    assert await scene.writer.mark(DEMO, "m.json") is None
    await scene.put("m.json", b"one", revision=REVISION)
    mark = await scene.writer.mark(DEMO, "m.json")
    assert mark is not None
    assert mark.revision == REVISION
    assert abs(mark.last_modified - datetime.now(UTC)) < timedelta(minutes=1)
    await scene.put("m.json", b"two")
    assert await scene.writer.mark(DEMO, "m.json") is None
    [file] = await scene.bucket.files(DEMO)
    assert file.size_bytes == 3


async def test_a_file_that_somebody_else_wrote_has_no_mark(scene: Scene) -> None:
    await scene.put("m.json", b"one", revision=REVISION)
    await scene.objects.put(**{"default/component/demo/m.json": b"theirs"})
    if isinstance(scene.objects, S3Objects):
        assert await scene.writer.mark(DEMO, "m.json") is None


async def test_what_is_removed_is_gone_and_may_be_gone_already(scene: Scene) -> None:
    await scene.put("a.txt", b"a")
    await scene.put("b.txt", b"b")
    files = [file for file in await scene.bucket.files(DEMO) if file.path == "a.txt"]
    await scene.writer.remove(files)
    await scene.writer.remove(files)
    assert [file.path for file in await scene.bucket.files(DEMO)] == ["b.txt"]


async def test_objects_have_the_media_type_of_their_path(scene: Scene) -> None:
    await scene.put("index.html", b"x", media_type="text/html; charset=utf-8")
    if isinstance(scene.objects, S3Objects):
        client, objects = scene.objects.server.client, scene.objects
        found = client.stat_object(objects.bucket, f"{objects.prefix}default/component/demo/index.html")
        assert found.content_type == "text/html; charset=utf-8"
