"""Keeping a classic bucket as the sites are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import pytest
from techdocs_server.adapters.classic.memory import MemoryClassicBucket
from techdocs_server.adapters.classic.memory_writer import MemoryClassicWriter
from techdocs_server.adapters.records.caching_sites import CachingSiteRecords
from techdocs_server.adapters.records.memory import MemorySiteRecords
from techdocs_server.adapters.records.memory_leases import MemoryBlobLeases
from techdocs_server.adapters.spools.local import LocalSpool
from techdocs_server.domain.change import Cause
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.entity import EntityRef
from techdocs_server.ports.classic_writer import ClassicUpload
from techdocs_server.services.committing import NewRevision, RevisionCommitter
from techdocs_server.services.mirror_upload import MirrorUploader
from techdocs_server.services.mirroring import Mirror
from techdocs_server.services.reading import SiteReader

from tests.support.blob_content import stored
from tests.support.clocks import ManualClock
from tests.support.pipeline import FailingBlobStore
from tests.support.waiting import eventually

DEMO = EntityRef("default", "component", "demo")
OTHER = EntityRef("default", "component", "other")
FOLDER = "default/component/demo/"
GRACE_SECONDS = 3600.0


class HeldWriter(MemoryClassicWriter):
    """Stops before the upload of a path while its gate is shut."""

    def __init__(self, bucket: MemoryClassicBucket) -> None:
        super().__init__(bucket)
        self.held_path = ""
        self.gate = asyncio.Event()
        self.reached = asyncio.Event()

    async def put(self, upload: ClassicUpload, content: BinaryIO) -> str:
        if upload.path == self.held_path:
            self.reached.set()
            await self.gate.wait()
        return await super().put(upload, content)


@dataclass
class Scene:
    sites: MemorySiteRecords
    blobs: FailingBlobStore
    bucket: MemoryClassicBucket
    writer: HeldWriter
    clock: ManualClock
    spool: LocalSpool
    mirrors: list[Mirror] = field(default_factory=list)

    async def publish(self, **files: str) -> str:
        """Make files the current revision; ``index_html`` is index.html."""
        digests = {
            path.replace("__", "/").replace("_", "."): await stored(self.blobs, text.encode())
            for path, text in files.items()
        }
        return await self.commit(DEMO, digests)

    async def commit(self, entity: EntityRef, digests: Mapping[str, Digest]) -> str:
        """Make stored files the current revision."""
        records = CachingSiteRecords(self.sites, changed=self._tell)
        new = NewRevision(entity, digests, "Demo", "", "source", "", await self.sites.pointer(entity))
        published, _ = await RevisionCommitter(records, self.blobs, MemoryBlobLeases(), self.clock).commit(
            new, cause=Cause()
        )
        return published.revision

    def _tell(self, entity: EntityRef) -> None:
        for mirror in self.mirrors:
            mirror.moved(entity)

    @asynccontextmanager
    async def mirroring(self, *, pass_seconds: float = 3600.0) -> AsyncIterator[None]:
        """Run a mirror, as a process of its own would, until the context ends."""
        mirror = Mirror(
            sites=self.sites,
            reader=SiteReader(self.sites, self.blobs),
            bucket=self.bucket,
            writer=self.writer,
            uploader=MirrorUploader(self.blobs, self.writer, self.spool),
            clock=self.clock,
            grace_seconds=GRACE_SECONDS,
            pass_seconds=pass_seconds,
            pause_seconds=0.05,
        )
        self.mirrors.append(mirror)
        running = asyncio.create_task(mirror.run())
        try:
            yield
        finally:
            self.mirrors.remove(mirror)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def mirrored(self, revision: str) -> None:
        """Wait until a revision is there in whole, which makes the mark."""

        async def marked() -> bool:
            return bool(self.writer.uploads) and self.writer.uploads[-1].revision == revision

        await eventually(marked, what=f"{revision} is mirrored")

    @property
    def files(self) -> dict[str, str]:
        """The site as it is in the bucket, but for its metadata."""
        return {
            key.removeprefix(FOLDER): content.decode()
            for key, content in self.bucket.objects.items()
            if key.startswith(FOLDER) and not key.endswith("techdocs_metadata.json")
        }


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    bucket, spool = MemoryClassicBucket(), LocalSpool(tmp_path)
    scene = Scene(
        MemorySiteRecords(), FailingBlobStore(), bucket, HeldWriter(bucket), ManualClock(datetime.now(UTC)), spool
    )
    yield scene
    await spool.close()
    assert not list(tmp_path.iterdir())


async def test_assets_come_first_then_pages_then_the_front_page_then_the_metadata(scene: Scene) -> None:
    async with scene.mirroring():
        revision = await scene.publish(index_html="i", z_css="z", a_html="a", a__b_html="b", m_png="m")
        await scene.mirrored(revision)
    paths = [upload.path for upload in scene.writer.uploads]
    assert set(paths[:2]) == {"m.png", "z.css"}
    assert set(paths[2:4]) == {"a.html", "a/b.html"}
    assert paths[4:] == ["index.html", "techdocs_metadata.json"]
    types = {upload.path: upload.media_type for upload in scene.writer.uploads}
    assert (types["z.css"], types["index.html"]) == ("text/css; charset=utf-8", "text/html; charset=utf-8")


async def test_only_what_changed_is_written(scene: Scene) -> None:
    async with scene.mirroring():
        await scene.mirrored(await scene.publish(index_html="i", a_html="a"))
        scene.writer.uploads.clear()
        await scene.mirrored(await scene.publish(index_html="i", a_html="A", b_html="b"))
        assert sorted(upload.path for upload in scene.writer.uploads[:-1]) == ["a.html", "b.html"]
    scene.writer.uploads.clear()
    # Another process remembers nothing of what it wrote, and compares.
    async with scene.mirroring():
        await scene.mirrored(await scene.publish(index_html="j", a_html="A", b_html="b"))
    assert [upload.path for upload in scene.writer.uploads[:-1]] == ["index.html"]


async def test_a_start_finds_what_is_behind_and_leaves_the_rest(scene: Scene) -> None:
    revision = await scene.publish(index_html="i")
    async with scene.mirroring():
        await scene.mirrored(revision)
    calls = scene.writer.calls
    async with scene.mirroring(pass_seconds=0.02):
        await eventually(lambda: scene.writer.calls > calls + 2, what="it looked")
    assert len(scene.writer.uploads) == 2
    # Somebody else wrote the site.
    scene.bucket.objects[FOLDER + "index.html"] = b"theirs"
    scene.writer._marks.clear()
    async with scene.mirroring():
        await eventually(lambda: scene.files == {"index.html": "i"}, what="it is ours again")


async def test_a_rollback_is_mirrored(scene: Scene) -> None:
    async with scene.mirroring():
        first = await scene.publish(index_html="one", a_html="a")
        await scene.mirrored(first)
        await scene.mirrored(await scene.publish(index_html="two"))
        pointer = await scene.sites.pointer(DEMO)
        assert pointer is not None
        announcing = CachingSiteRecords(scene.sites, changed=scene.mirrors[0].moved)
        await announcing.move_pointer(
            DEMO, to=first, source_etag=pointer.source_etag, expected=pointer, now=scene.clock.now()
        )
        await scene.mirrored(first)
    assert scene.files == {"index.html": "one", "a.html": "a"}


async def test_what_is_no_longer_in_the_site_goes_after_the_grace_and_not_before(scene: Scene) -> None:
    scene.bucket.objects["default/component/demo-2/a.html"] = b"another site"
    scene.bucket.modified["default/component/demo-2/a.html"] = datetime(2020, 1, 1, tzinfo=UTC)
    async with scene.mirroring(pass_seconds=0.02):
        await scene.mirrored(await scene.publish(index_html="i", a_html="a"))
        # What counts is since when the site lacks it, not since when it is there.
        scene.bucket.modified[FOLDER + "a.html"] = datetime(2020, 1, 1, tzinfo=UTC)
        await scene.mirrored(await scene.publish(index_html="i"))
        scene.clock.advance(GRACE_SECONDS - 60)
        calls = scene.writer.calls
        await eventually(lambda: scene.writer.calls > calls + 3, what="it looked some times")
        assert scene.files == {"index.html": "i", "a.html": "a"}
        scene.clock.advance(120)
        await eventually(lambda: scene.files == {"index.html": "i"}, what="it is removed")
        listings = scene.bucket.listings
        calls = scene.writer.calls
        await eventually(lambda: scene.writer.calls > calls + 3, what="it looked some times")
        assert scene.bucket.listings == listings, "a site that is tidy is not listed again"
    assert scene.writer.removed == ["a.html"]


async def test_a_start_removes_what_an_earlier_process_left(scene: Scene) -> None:
    async with scene.mirroring():
        await scene.mirrored(await scene.publish(index_html="i", a_html="a"))
        await scene.mirrored(await scene.publish(index_html="i"))
    scene.clock.advance(GRACE_SECONDS + 60)
    scene.bucket.modified[FOLDER + "young.txt"] = scene.clock.now()
    scene.bucket.objects[FOLDER + "young.txt"] = b"written by somebody just now"
    async with scene.mirroring(pass_seconds=0.02):
        await eventually(lambda: "a.html" not in scene.files, what="it is removed")
        assert "young.txt" in scene.files
        scene.clock.advance(GRACE_SECONDS + 60)
        await eventually(lambda: scene.files == {"index.html": "i"}, what="all is removed")


async def test_a_pointer_that_moves_under_way_is_followed(scene: Scene) -> None:
    scene.writer.held_path = "index.html"
    async with scene.mirroring():
        first = await scene.publish(index_html="one", a_html="a")
        await scene.writer.reached.wait()
        # Of another process: this one is not told.
        scene.mirrors, told = [], scene.mirrors
        second = await scene.publish(index_html="two", a_html="b")
        scene.mirrors = told
        scene.writer.gate.set()
        await scene.mirrored(second)
    assert scene.files == {"index.html": "two", "a.html": "b"}
    assert first not in {upload.revision for upload in scene.writer.uploads}, "what is not whole is not marked"


async def test_whatever_fails_is_told_and_tried_again(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    async with scene.mirroring():
        for fail_at in range(1, 5):
            scene.writer.calls, scene.writer.fail_at = 0, fail_at
            revision = await scene.publish(index_html=f"{fail_at}", a_html=f"a{fail_at}")
            await scene.mirrored(revision)
            assert scene.files == {"index.html": f"{fail_at}", "a.html": f"a{fail_at}"}
        scene.writer.fail_at = None
        assert [record.message for record in caplog.records] == ["mirror_failed"] * 4
        scene.bucket.broken = True
        revision = await scene.publish(index_html="last")
        await eventually(lambda: len(caplog.records) > 5, what="it failed twice more")
        scene.bucket.broken = False
        await scene.mirrored(revision)


async def test_a_damaged_site_does_not_hold_up_another(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    await scene.publish(index_html="i", a_html="a")
    del scene.blobs._contents[Digest.of(b"a").sha256]
    await scene.commit(OTHER, {"index.html": Digest.of(b"i")})
    async with scene.mirroring():
        key = "default/component/other/techdocs_metadata.json"
        await eventually(lambda: key in scene.bucket.objects, what="the other one is mirrored")
        await eventually(lambda: caplog.records, what="the damage is told")
    assert FOLDER + "techdocs_metadata.json" not in scene.bucket.objects


async def test_a_deleted_site_is_left_as_it_is(scene: Scene) -> None:
    async with scene.mirroring(pass_seconds=0.02):
        await scene.mirrored(await scene.publish(index_html="i"))
        pointer = await scene.sites.pointer(DEMO)
        assert pointer is not None
        await scene.sites.delete_site(DEMO, expected=pointer, now=scene.clock.now())
        scene.clock.advance(2 * GRACE_SECONDS)
        scene.mirrors[0].moved(DEMO)
        await scene.mirrored(await scene.commit(OTHER, {"index.html": Digest.of(b"i")}))
    assert scene.files == {"index.html": "i"}
    assert not scene.writer.removed
