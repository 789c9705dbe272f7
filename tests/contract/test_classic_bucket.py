"""What every ClassicBucket promises."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncGenerator, AsyncIterator

import pytest
from techdocs_server.domain.entity import EntityRef
from techdocs_server.ports.classic import ClassicBucket, ClassicFile, ClassicFileGone

from tests.support.classic import CLASSIC_BUCKETS, MemoryObjects, S3Objects, open_classic

DEMO = EntityRef("default", "component", "demo")
CHUNK = 256 * 1024
SMALL = b"".join(b"%08d" % number for number in range(125))
LARGE = os.urandom(3 * CHUNK + 5)

Scene = tuple[ClassicBucket, MemoryObjects | S3Objects]


@pytest.fixture(params=CLASSIC_BUCKETS)
async def scene(request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    server = request.getfixturevalue("s3_server") if "s3" in request.param else None
    async with open_classic(request.param, server) as opened:
        yield opened


@pytest.fixture(params=CLASSIC_BUCKETS)
async def cased(request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    server = request.getfixturevalue("s3_server") if "s3" in request.param else None
    async with open_classic(request.param, server, case_preserved=True) as opened:
        yield opened


async def listed(bucket: ClassicBucket, entity: EntityRef = DEMO) -> dict[str, ClassicFile]:
    return {file.path: file for file in await bucket.files(entity)}


async def read(bucket: ClassicBucket, file: ClassicFile, *, offset: int = 0, length: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in bucket.read(file, offset=offset, length=length)])


async def test_files_of_one_site_are_listed_and_no_others(scene: Scene) -> None:
    bucket, objects = scene
    await objects.put(
        **{
            "default/component/demo/index.html": SMALL,
            "default/component/demo/assets/a.css": b"a",
            "default/component/demo-2/index.html": b"another",
            "default/component/demo": b"none",
            "Default/Component/Demo/other.html": b"another case",
            "default/system/demo/index.html": b"another kind",
        }
    )
    found = await listed(bucket)
    assert {path: file.size_bytes for path, file in found.items()} == {"index.html": 1000, "assets/a.css": 1}
    assert found["index.html"].etag == hashlib.md5(SMALL, usedforsecurity=False).hexdigest()
    assert not await bucket.files(EntityRef("default", "component", "dem"))


async def test_a_bucket_with_nothing_in_it_has_no_sites(scene: Scene) -> None:
    bucket, _ = scene
    assert not await bucket.files(DEMO)
    inventory = await bucket.inventory()
    assert not inventory.entities
    assert not inventory.unmanaged


async def test_a_site_of_more_files_than_a_server_lists_at_once_is_listed_whole(scene: Scene) -> None:
    bucket, objects = scene
    await objects.put(**{f"default/component/demo/{number}.txt": b"%d" % number for number in range(1100)})
    found = await listed(bucket)
    assert len(found) == 1100
    assert all(file.size_bytes == len(path) - len(".txt") for path, file in found.items())


@pytest.mark.parametrize("path", ["größe/seite eins.html", "a+b&c=d.txt", "100%25.txt", "q?x#y.txt", "日本.html"])
async def test_names_come_back_as_they_are(scene: Scene, path: str) -> None:
    bucket, objects = scene
    await objects.put(**{f"default/component/demo/{path}": path.encode()})
    found = await listed(bucket)
    assert list(found) == [path]
    assert await read(bucket, found[path]) == path.encode()


async def test_every_range_is_cut_exactly(scene: Scene) -> None:
    bucket, objects = scene
    await objects.put(**{"default/component/demo/large.bin": LARGE, "default/component/demo/empty": b""})
    found = await listed(bucket)
    size, file = len(LARGE), found["large.bin"]
    ranges = [
        (0, 0),
        (0, 1),
        (0, size),
        (0, size + 9),
        (1, None),
        (size - 1, None),
        (size, None),
        (7, CHUNK),
        (size, 3),
    ]
    for offset, length in ranges:
        end = size if length is None else offset + length
        assert await read(bucket, file, offset=offset, length=length) == LARGE[offset:end], (offset, length)
    assert await read(bucket, found["empty"]) == b""
    with pytest.raises(ValueError, match="outside"):
        await read(bucket, file, offset=size + 1)
    assert {0 < len(chunk) <= CHUNK async for chunk in bucket.read(file)} == {True}


async def test_a_reader_may_leave_early(scene: Scene) -> None:
    bucket, objects = scene
    await objects.put(**{"default/component/demo/large.bin": LARGE})
    file = (await listed(bucket))["large.bin"]
    reader = bucket.read(file)
    assert await anext(reader) == LARGE[:CHUNK]
    assert isinstance(reader, AsyncGenerator)
    await reader.aclose()
    assert await read(bucket, file) == LARGE


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
async def test_a_file_that_is_not_the_one_listed_is_told_before_its_first_byte(scene: Scene, content: bytes) -> None:
    bucket, objects = scene
    key = "default/component/demo/page.html"
    await objects.put(**{key: content})
    file = (await listed(bucket))["page.html"]
    await objects.put(**{key: content[::-1]})
    for offset in (0, 10):
        with pytest.raises(ClassicFileGone):
            await anext(bucket.read(file, offset=offset))
    await objects.remove(key)
    with pytest.raises(ClassicFileGone):
        await anext(bucket.read(file))
    with pytest.raises(ClassicFileGone):
        await bucket.etag_is_md5(file)


async def test_an_entity_tag_of_an_object_in_one_piece_is_its_md5(scene: Scene) -> None:
    bucket, objects = scene
    await objects.put(**{"default/component/demo/page.html": SMALL})
    assert await bucket.etag_is_md5((await listed(bucket))["page.html"])


async def test_the_inventory_names_sites_and_what_belongs_to_none(scene: Scene) -> None:
    bucket, objects = scene
    await objects.put(
        **{
            "default/component/demo/index.html": b"1",
            "default/component/demo/deep/er/index.html": b"1",
            "other/api/x/index.html": b"1",
            "Default/Component/Mixed/index.html": b"1",
            "not_a_namespace/component/x/index.html": b"1",
            "readme.txt": b"1",
            "default/component/stray.txt": b"1",
        }
    )
    inventory = await bucket.inventory()
    assert inventory.entities == [DEMO, EntityRef("other", "api", "x")]
    assert inventory.unmanaged == [
        "Default/Component/Mixed/",
        "default/component/stray.txt",
        "not_a_namespace/component/x/",
        "readme.txt",
    ]


async def test_folders_whose_case_is_preserved_are_found_by_entities_in_lower_case(cased: Scene) -> None:
    bucket, objects = cased
    await objects.put(
        **{
            "Default/Component/Demo/Index.html": SMALL,
            "default/component/other/index.html": b"1",
            "default/Component/both/index.html": b"mixed",
            "default/component/both/index.html": b"lower",
        }
    )
    found = await listed(bucket)
    assert list(found) == ["Index.html"]  # below the folder the case counts
    assert await read(bucket, found["Index.html"]) == SMALL
    both = await listed(bucket, EntityRef("default", "component", "both"))
    assert await read(bucket, both["index.html"]) == b"lower"
    assert not await bucket.files(EntityRef("default", "component", "nobody"))
    inventory = await bucket.inventory()
    assert [entity.name for entity in inventory.entities] == ["both", "demo", "other"]
    assert inventory.unmanaged == ["default/Component/both/"]
