"""What a collection leaves, over every pair of stores that a service can have."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from techdocs_server.adapters.variants.memory import MemoryVariantStore
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.encoding import ContentEncoding
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import RevisionNotFound, StorageUnavailable
from techdocs_server.domain.site import Revision, SitePointer
from techdocs_server.domain.upkeep_errors import CollectionRunning, ManifestUnreadable
from techdocs_server.ports.blobs import SweepableBlobStore
from techdocs_server.ports.records import SiteRecords
from techdocs_server.services.retention import Retention

from tests.support.blob_content import stored
from tests.support.collecting import WORLDS, World, opened_world
from tests.support.record_values import entity

SITE, OTHER = entity("docs"), entity("other")
LARGE = b"".join(b"%08d" % number for number in range(100_000))


@pytest.fixture(params=WORLDS)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with opened_world(request.param, tmp_path, request) as opened:
        yield opened


@dataclass
class History:
    """Does things to sites at random, and knows which revisions must be there afterwards."""

    world: World
    chance: random.Random
    sites: dict[EntityRef, dict[str, Mapping[str, bytes]]] = field(default_factory=dict)
    current: dict[EntityRef, str] = field(default_factory=dict)
    pinned: set[tuple[EntityRef, str]] = field(default_factory=set)

    async def step(self) -> None:
        one = self.chance.choice((SITE, OTHER, entity("third")))
        deeds = [self.publish, self.publish, self.interrupted_publish]
        if one in self.current:
            deeds += [self.roll_back, self.delete_revision, self.delete_revision, self.pin, self.delete_site]
        await self.chance.choice(deeds)(one)

    async def publish(self, one: EntityRef) -> None:
        pages = self.pages()
        revision = await self.world.publish(one, pages)
        self.sites.setdefault(one, {})[revision] = pages
        self.current[one] = revision

    async def interrupted_publish(self, one: EntityRef) -> None:
        stopped = replace(self.world, sites=stopping(self.world.sites, at=self.chance.choice(("add", "move"))))
        with pytest.raises(StorageUnavailable):
            await stopped.publish(one, self.pages())

    async def roll_back(self, one: EntityRef) -> None:
        revision = self.chance.choice(list(self.sites[one]))
        pointer = await self.world.sites.pointer(one)
        now = self.world.clock.now()
        await self.world.sites.move_pointer(one, to=revision, source_etag="", expected=pointer, now=now)
        self.current[one] = revision

    async def delete_revision(self, one: EntityRef) -> None:
        revision = self.chance.choice(list(self.sites[one]))
        if revision != self.current[one] and (one, revision) not in self.pinned:
            await self.world.sites.delete_revision(one, revision, now=self.world.clock.now())
            del self.sites[one][revision]

    async def pin(self, one: EntityRef) -> None:
        revision = self.chance.choice(list(self.sites[one]))
        await self.world.sites.pin_revision(one, revision, pinned=True, now=self.world.clock.now())
        self.pinned.add((one, revision))

    async def delete_site(self, one: EntityRef) -> None:
        pointer = await self.world.sites.pointer(one)
        assert pointer is not None
        await self.world.sites.delete_site(one, expected=pointer, now=self.world.clock.now())
        del self.sites[one], self.current[one]
        self.pinned = {(other, revision) for other, revision in self.pinned if other != one}

    def pages(self) -> Mapping[str, bytes]:
        """Return pages most of which other revisions and sites have too."""
        texts = [b"page %d" % self.chance.randrange(12) for _ in range(4)]
        return {"index.html": texts[0], **{f"{number}.html": text for number, text in enumerate(texts)}}

    async def expected(self) -> set[str]:
        needed: set[str] = set()
        for one, revisions in self.sites.items():
            for revision in revisions:
                needed |= await self.world.needed(one, revision)
        return needed


class _Stopping:
    """SiteRecords that fail as if the machine went away: at adding a revision, or at moving a pointer to it."""

    def __init__(self, inner: SiteRecords, at: str) -> None:
        self._inner, self._at = inner, at

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    async def add_revision(self, revision: Revision) -> Revision:
        if self._at == "add":
            raise StorageUnavailable("the machine went away")
        return await self._inner.add_revision(revision)

    async def move_pointer(self, *_arguments: object, **_more: object) -> SitePointer:
        raise StorageUnavailable("the machine went away")


def stopping(sites: SiteRecords, *, at: str) -> SiteRecords:
    return cast(SiteRecords, _Stopping(sites, at))


@pytest.mark.parametrize("seed", range(3))
async def test_after_a_collection_the_store_has_exactly_what_revisions_need(world: World, seed: int) -> None:
    history = History(world, random.Random(seed))
    for _ in range(2):
        for _ in range(15):
            await history.step()
        # Whatever happened lately is protected still.
        before = await world.stored()
        await world.collect(grace_seconds=3600)
        assert await world.stored() == before
        world.end_leases()
        done = await world.collect()
        after = await world.stored()
        assert after == await history.expected()
        assert (done.blobs.kept, done.blobs.deleted) == (len(after), len(before) - len(after))
        for one, revisions in history.sites.items():
            for revision, pages in revisions.items():
                assert await world.pages(one, revision) == pages
        again = await world.collect()
        assert (again.blobs.deleted, again.forgotten_revisions) == (0, 0)


async def test_dry_run_deletes_nothing_and_has_the_same_figures(world: World) -> None:
    history = History(world, random.Random(7))
    for _ in range(25):
        await history.step()
    world.end_leases()
    few = Retention(1, timedelta(0))
    before = await world.stored()
    rows = await world.revisions.kept(after=None, limit=1000)
    dry = await world.collect(retention=few, dry_run=True)
    assert dry.is_dry_run
    assert await world.stored() == before
    assert await world.revisions.kept(after=None, limit=1000) == rows
    real = await world.collect(retention=few)
    assert replace(real, duration_seconds=0) == replace(dry, duration_seconds=0, is_dry_run=False)
    assert real.blobs.deleted > 0
    assert real.deleted_revisions > 0
    assert await world.stored() < before


async def test_reader_of_a_deleted_revision_gets_all_of_it_within_the_grace(world: World) -> None:
    old = await world.publish(SITE, {"index.html": b"old", "large.bin": LARGE})
    digests = await world.needed(SITE, old)
    await world.publish(SITE, {"index.html": b"new"})
    world.end_leases()
    reader = world.blobs.get(Digest.of(LARGE))
    begin = await anext(reader)
    await world.sites.delete_revision(SITE, old, now=world.clock.now())
    with pytest.raises(RevisionNotFound):
        await world.pages(SITE, old)
    world.clock.shift += timedelta(minutes=50)
    await world.collect(grace_seconds=3600)
    assert digests <= await world.stored()
    assert begin + b"".join([chunk async for chunk in reader]) == LARGE
    world.clock.shift += timedelta(minutes=11)
    assert (await world.collect(grace_seconds=3600)).forgotten_revisions == 1
    assert not digests & await world.stored()


async def test_blobs_that_were_just_written_stay_though_nobody_leased_them(world: World) -> None:
    digest = await stored(world.blobs, b"written by hand")
    assert (await world.collect(grace_seconds=3600)).blobs.kept == 1
    world.clock.shift += timedelta(hours=2)
    assert (await world.collect(grace_seconds=3600)).blobs.deleted == 1
    assert await world.blobs.missing([digest]) == {digest}


async def test_manifest_that_cannot_be_read_stops_everything(world: World) -> None:
    await world.publish(SITE, {"index.html": b"fine"})
    # Another file name makes another metadata file, also within one millisecond.
    lost = await world.publish(OTHER, {"index.html": b"lost", "more.html": b"lost"})
    await stored(world.blobs, b"nobody needs this")
    await world.blobs.delete([lost])
    world.end_leases()
    before = await world.stored()
    for dry_run in (True, False):
        with pytest.raises(ManifestUnreadable) as caught:
            await world.collect(dry_run=dry_run)
        assert caught.value.metadata == {"entity": str(OTHER), "revision": lost}
    assert await world.stored() == before
    pointer = await world.sites.pointer(OTHER)
    assert pointer is not None
    await world.sites.delete_site(OTHER, expected=pointer, now=world.clock.now())
    # Without the revision there is nothing to read.
    assert (await world.collect()).blobs.deleted == 3


async def test_revisions_beyond_number_and_age_go_and_pinned_and_current_stay(world: World) -> None:
    revisions = []
    for number in range(6):
        revisions.append(await world.publish(SITE, {"index.html": b"%d" % number}))
        world.clock.shift += timedelta(days=1)
    await world.sites.pin_revision(SITE, revisions[0], pinned=True, now=world.clock.now())
    pointer = await world.sites.pointer(SITE)
    await world.sites.move_pointer(SITE, to=revisions[1], source_etag="", expected=pointer, now=world.clock.now())
    young = await world.collect(retention=Retention(2, timedelta(days=10)))
    assert young.deleted_revisions == 0
    # Of the two beyond the number that are neither, one is three days old and one is four.
    done = await world.collect(retention=Retention(2, timedelta(days=3.5)))
    assert done.deleted_revisions == 1
    left = [row.revision for row in await world.sites.revisions(SITE, after=None, limit=10)]
    assert left == [revisions[number] for number in (5, 4, 3, 1, 0)]
    assert (await world.collect(retention=Retention(2, timedelta(0)))).deleted_revisions == 1
    left = [row.revision for row in await world.sites.revisions(SITE, after=None, limit=10)]
    assert left == [revisions[number] for number in (5, 4, 1, 0)]
    for revision in left:
        assert await world.pages(SITE, revision)


async def test_variants_go_with_their_blobs(world: World) -> None:
    world.variants = MemoryVariantStore()
    gone = await stored(world.blobs, b"gone")
    revision = await world.publish(SITE, {"index.html": b"stays"})
    stays = next(iter((await world.needed(SITE, revision)) - {revision}))
    await world.variants.put(gone, {ContentEncoding.GZIP: b"x", ContentEncoding.BROTLI: b"x"})
    world.end_leases()
    await world.collect()
    assert await world.variants.locate(gone, ContentEncoding.GZIP) is None
    assert stays in await world.stored()


async def test_second_collection_at_once_is_refused(world: World) -> None:
    async with world.dooming.collecting():
        with pytest.raises(CollectionRunning):
            await world.collect()


async def test_collection_that_broke_off_is_finished_by_the_next(world: World) -> None:
    for number in range(5):
        await stored(world.blobs, b"%d" % number)
    world.end_leases()
    broken = replace(world, blobs=cast(SweepableBlobStore, _Undeletable(world.blobs)))
    with pytest.raises(StorageUnavailable):
        await broken.collect()
    assert len(await world.stored()) == 5
    assert (await world.collect()).blobs.deleted == 5
    assert await world.stored() == set()


class _Undeletable:
    """A store that refuses deletions."""

    def __init__(self, inner: SweepableBlobStore) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    async def delete(self, sha256s: object) -> None:
        raise StorageUnavailable("read-only")
