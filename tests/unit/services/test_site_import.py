"""Bringing classic sites over."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from techdocs_server.adapters.classic.memory import MemoryClassicBucket
from techdocs_server.adapters.clock import SystemClock
from techdocs_server.adapters.records.memory import MemorySiteRecords
from techdocs_server.adapters.records.memory_leases import MemoryBlobLeases
from techdocs_server.adapters.spools.local import LocalSpool
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import ContentCorrupt, StorageUnavailable
from techdocs_server.domain.principal import INTERNAL
from techdocs_server.ports.classic import ClassicFile
from techdocs_server.services.committing import RevisionCommitter
from techdocs_server.services.describing import SiteDescriber
from techdocs_server.services.reading import SiteReader
from techdocs_server.services.site_import import ImportLimits, ImportOutcome, ImportRefused, SiteImporter

from tests.support.pipeline import FailingBlobStore, FolderCatalog

DEMO = EntityRef("default", "component", "demo")
FOLDER = "default/component/demo/"
LARGE = bytes(range(256)) * 8_000
METADATA = {"site_name": "Old", "site_description": "Text", "build_timestamp": 1_600_000_000_000, "etag": "abc"}


class DamagingBucket(MemoryClassicBucket):
    """Hands over other bytes than it lists, of the files named, or lists tags that are no MD5."""

    def __init__(self) -> None:
        super().__init__()
        self.damaged: dict[str, bytes] = {}
        self.etags_are_md5 = True

    async def read(self, file: ClassicFile, *, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        if file.path in self.damaged:
            yield self.damaged[file.path]
            return
        async for chunk in super().read(file, offset=offset, length=length):
            yield chunk

    async def etag_is_md5(self, file: ClassicFile) -> bool:
        return self.etags_are_md5


@dataclass
class Scene:
    bucket: DamagingBucket
    sites: MemorySiteRecords
    blobs: FailingBlobStore
    reader: SiteReader
    importer: SiteImporter
    spool: Path

    async def page(self, path: str = "") -> bytes:
        view = await self.reader.open(DEMO)
        return await self.reader.read_all(view, view.locate(path))


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    bucket, sites, blobs = DamagingBucket(), MemorySiteRecords(), FailingBlobStore()
    reader = SiteReader(sites, blobs)
    files = {"index.html": b"front", "a/large.bin": LARGE, "a/empty": b""}
    bucket.objects = {
        FOLDER + path: content
        for path, content in {**files, "techdocs_metadata.json": json.dumps(METADATA).encode()}.items()
    }
    bucket.objects |= {FOLDER + f"many/{number}": b"%d" % number for number in range(100)}
    spool = LocalSpool(tmp_path)
    importer = SiteImporter(
        bucket=bucket,
        sites=sites,
        blobs=blobs,
        reader=reader,
        committer=RevisionCommitter(sites, blobs, MemoryBlobLeases(), SystemClock()),
        spool=spool,
        limits=ImportLimits(max_bytes=10**7, max_files=200, concurrency=4),
    )
    yield Scene(bucket, sites, blobs, reader, importer, tmp_path)
    await spool.close()


async def test_every_file_is_brought_over_with_name_and_time_of_the_site(scene: Scene) -> None:
    done = await scene.importer.import_site(DEMO)
    assert (done.outcome, done.file_count) == (ImportOutcome.IMPORTED, 103)
    for key, content in scene.bucket.objects.items():
        if not key.endswith("techdocs_metadata.json"):
            assert await scene.page(key.removeprefix(FOLDER)) == content
    metadata, _ = await SiteDescriber(scene.reader, FolderCatalog(scene.spool)).site(DEMO, viewer=INTERNAL)
    assert (metadata.site_name, metadata.site_description, metadata.etag) == ("Old", "Text", "classic:abc")
    assert metadata.build_timestamp.timestamp() == 1_600_000_000
    assert len(metadata.files) == 104
    assert not list(scene.spool.iterdir())


async def test_a_site_with_a_revision_is_skipped_unless_it_is_to_be_replaced(scene: Scene) -> None:
    first = await scene.importer.import_site(DEMO)
    pointer = await scene.sites.pointer(DEMO)
    scene.bucket.objects[FOLDER + "index.html"] = b"newer"
    assert (await scene.importer.import_site(DEMO)).outcome == ImportOutcome.SKIPPED
    assert (await scene.sites.pointer(DEMO), await scene.page()) == (pointer, b"front")
    replaced = await scene.importer.import_site(DEMO, replace=True)
    assert (replaced.outcome, await scene.page()) == (ImportOutcome.IMPORTED, b"newer")
    assert replaced.revision != first.revision


async def test_an_import_repeated_changes_nothing(scene: Scene) -> None:
    first = await scene.importer.import_site(DEMO)
    pointer = await scene.sites.pointer(DEMO)
    again = await scene.importer.import_site(DEMO, replace=True)
    assert (again.outcome, again.revision) == (ImportOutcome.UNCHANGED, first.revision)
    assert await scene.sites.pointer(DEMO) == pointer


async def test_a_dry_run_stores_nothing(scene: Scene) -> None:
    done = await scene.importer.import_site(DEMO, dry_run=True)
    assert (done.outcome, done.file_count, scene.blobs.calls) == (ImportOutcome.FOUND, 103, 0)
    assert await scene.sites.pointer(DEMO) is None


@pytest.mark.parametrize("damaged", [b"fronT", b"", b"front and more"], ids=["changed", "short", "long"])
async def test_a_file_that_is_not_what_is_listed_stops_the_import(scene: Scene, damaged: bytes) -> None:
    scene.bucket.damaged["index.html"] = damaged
    with pytest.raises(ImportRefused, match=r"'index\.html' is damaged"):
        await scene.importer.import_site(DEMO)
    assert await scene.sites.pointer(DEMO) is None
    assert not list(scene.spool.iterdir())
    scene.bucket.damaged.clear()
    assert (await scene.importer.import_site(DEMO)).outcome == ImportOutcome.IMPORTED


async def test_where_entity_tags_are_no_md5_the_size_still_counts(scene: Scene) -> None:
    scene.bucket.etags_are_md5 = False
    scene.bucket.damaged["index.html"] = b"front!"
    with pytest.raises(ImportRefused, match="is damaged"):
        await scene.importer.import_site(DEMO)
    scene.bucket.damaged["index.html"] = b"FRONT"
    assert (await scene.importer.import_site(DEMO)).outcome == ImportOutcome.IMPORTED


async def test_what_cannot_be_a_site_of_ours_is_refused(scene: Scene) -> None:
    with pytest.raises(ImportRefused, match="no such site"):
        await scene.importer.import_site(EntityRef("default", "component", "nobody"))
    scene.bucket.objects |= {FOLDER + f"more/{number}": b"" for number in range(100)}
    with pytest.raises(ImportRefused, match="site_max_files is 200"):
        await scene.importer.import_site(DEMO)
    del scene.bucket.objects[FOLDER + "index.html"]
    with pytest.raises(ImportRefused, match=r"no index\.html"):
        await scene.importer.import_site(DEMO)
    scene.bucket.objects = {FOLDER + "index.html": b"x", FOLDER + "techdocs_metadata.json": b"{"}
    with pytest.raises(ContentCorrupt):
        await scene.importer.import_site(DEMO)


async def test_wherever_the_store_fails_there_is_no_half_site_and_it_can_be_repeated(scene: Scene) -> None:
    for fail_at in range(1, 200):
        scene.blobs.calls, scene.blobs.fail_at = 0, fail_at
        try:
            await scene.importer.import_site(DEMO)
        except StorageUnavailable:
            assert await scene.sites.pointer(DEMO) is None
            assert not list(scene.spool.iterdir())
            continue
        break
    assert fail_at > 100
    assert await scene.page("a/large.bin") == LARGE


async def test_large_streams_are_spooled_with_their_digests(scene: Scene) -> None:
    async def stream(content: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(content), 100_000):
            yield content[start : start + 100_000]

    spool = LocalSpool(scene.spool)
    for content in (b"", b"small", LARGE):
        spooled = await spool.take(stream(content))
        assert spooled.digest == Digest.of(content)
        with spooled.open() as file:
            assert file.read() == content
        assert len(list(scene.spool.iterdir())) == (content == LARGE)
        spooled.discard()
        spooled.discard()
    assert not list(scene.spool.iterdir())
    await spool.close()
