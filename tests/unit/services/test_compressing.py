"""Variants of what is published: in which order they are made, and what never waits for them."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import brotli
import pytest
from techdocs_server.adapters.variants.memory import MemoryVariantStore
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.encoding import ContentEncoding
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.domain.principal import INTERNAL
from techdocs_server.ports.variants import Decision
from techdocs_server.services.syncing import SyncWish

from tests.support.compressing import Compressing, compressing
from tests.support.pipeline import ENTITY, FailingBlobStore, Pipeline, pipeline
from tests.support.waiting import eventually

BROTLI, GZIP = ContentEncoding.BROTLI, ContentEncoding.GZIP
SITE = EntityRef("default", "component", "site")
OTHER = EntityRef("default", "component", "other")


def page(letter: str) -> bytes:
    return letter.encode() * 5000


@asynccontextmanager
async def publishing(folder: Path) -> AsyncIterator[tuple[Compressing, Pipeline]]:
    blobs = FailingBlobStore()
    async with compressing(blobs=blobs) as made_for, pipeline(folder, blobs=blobs, variants=made_for.variants) as site:
        yield made_for, site


async def made(service: Compressing, *digests: Digest) -> None:
    async def all_made() -> bool:
        return not await service.store.missing(digests)

    await eventually(all_made, what="the variants")


async def test_every_compressible_file_of_a_publish_gets_its_variants() -> None:
    async with compressing() as service:
        files = await service.files(a=page("a"), b=page("b"))
        service.variants.published(SITE, files, before=None)
        await made(service, *files.values())
        for digest, content in zip(files.values(), (page("a"), page("b")), strict=True):
            found = await service.variants.read(digest, BROTLI)
            assert found is not None
            assert brotli.decompress(found.content) == content
            assert await service.variants.locate(digest, BROTLI) == found.digest


async def test_pictures_and_small_files_are_left_alone() -> None:
    async with compressing() as service:
        files = await service.files(a=page("a"), tiny=b"tiny")
        picture = {"picture.png": next(iter((await service.files(p=page("p"))).values()))}
        service.variants.published(SITE, {**picture, **files}, before=None)
        await made(service, files["a.html"])
        await eventually(lambda: service.compressor.rests, what="the queue to be empty")
        assert service.given == [b"a"]


async def test_a_blob_of_two_sites_is_compressed_once() -> None:
    async with compressing() as service:
        files = await service.files(a=page("a"), again=page("a"))
        service.variants.published(SITE, files, before=None)
        await made(service, *files.values())
        service.variants.published(OTHER, files, before=None)
        service.variants.published(SITE, await service.files(z=page("z")), before=None)
        await eventually(lambda: len(service.given) > 1, what="the new page")
        assert service.given == [b"a", b"z"]


async def test_the_newest_site_comes_first_and_of_it_what_is_new() -> None:
    async with compressing() as service:
        old = await service.files(a=page("a"), b=page("b"))
        new = await service.files(c=page("c"), d=page("d"))
        with service.variants.held_back():
            service.variants.published(OTHER, await service.files(o=page("o")), before=None)
            service.variants.published(SITE, {**old, **new}, before=old)
        await eventually(lambda: len(service.given) == 5, what="all of it")
        assert service.given == [b"c", b"d", b"a", b"b", b"o"]


async def test_a_later_publish_takes_the_place_of_an_earlier_one() -> None:
    async with compressing() as service:
        first = await service.files(a=page("a"), b=page("b"))
        second = {"a.html": first["a.html"], **await service.files(c=page("c"))}
        with service.variants.held_back():
            service.variants.published(SITE, first, before=None)
            service.variants.published(SITE, second, before=first)
        await eventually(lambda: service.compressor.rests, what="the queue to be empty")
        assert service.given == [b"c", b"a"]


async def test_what_is_under_way_when_a_build_begins_is_given_up_and_made_after_it() -> None:
    async with compressing() as service:
        files = await service.files(a=page("a"), b=page("b"))
        service.compressor.gate.clear()
        service.variants.published(SITE, files, before=None)
        await eventually(lambda: service.given, what="the first page")
        with service.variants.held_back():
            with service.variants.held_back():
                service.compressor.gate.set()
                await eventually(lambda: service.compressor.cancelled, what="the page to be given up")
            assert service.given == [b"a"]
            assert await service.store.missing(files.values()) == set(files.values())
        await made(service, *files.values())
        assert service.given == [b"a", b"a", b"b"]


async def test_what_does_not_get_smaller_is_tried_once() -> None:
    async with compressing() as service:
        files = await service.files(noise=os.urandom(5000))
        for _ in range(2):
            service.variants.published(SITE, files, before=None)
            await made(service, *files.values())
        assert await service.store.locate(files["noise.html"], BROTLI) == Decision(None)
        assert await service.variants.locate(files["noise.html"], BROTLI) is None
        assert await service.variants.read(files["noise.html"], BROTLI) is None
        service.variants.published(SITE, await service.files(a=page("a")), before=None)
        await eventually(lambda: len(service.given) > 1, what="another page")
        assert len(service.given) == 2


async def test_a_reader_who_asks_in_vain_makes_the_blob_wanted() -> None:
    async with compressing() as service:
        digest = (await service.files(a=page("a")))["a.html"]
        assert await service.variants.locate(digest, GZIP) is None
        await made(service, digest)
        assert await service.variants.locate(digest, GZIP) is not None


async def test_a_lost_blob_is_skipped() -> None:
    async with compressing() as service:
        files = {"lost.html": Digest.of(page("l")), **await service.files(a=page("a"))}
        service.variants.published(SITE, files, before=None)
        await made(service, files["a.html"])


async def test_a_page_that_cannot_be_compressed_does_not_keep_others_from_it() -> None:
    async with compressing() as service:
        poison = service.compressor.poison * 300
        files = await service.files(a=poison, b=page("b"), c=poison + b"2", d=page("d"), e=poison + b"3", f=page("f"))
        service.variants.published(SITE, files, before=None)
        await made(service, files["b.html"], files["d.html"], files["f.html"])


async def test_a_compressor_that_can_do_nothing_is_given_up_until_the_next_publish(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with compressing() as service:
        poison = service.compressor.poison * 300
        # More than are looked at in one step: the rest is left out too.
        files = await service.files(**{f"p{number}": poison + b"%d" % number for number in range(150)})
        with caplog.at_level(logging.WARNING):
            service.variants.published(SITE, files, before=None)
            await eventually(lambda: service.compressor.rests, what="it to give up")
        assert len(service.given) == 3
        assert [record.message for record in caplog.records] == ["variant_failed"] * 2 + ["variants_given_up"]
        service.compressor.poison = b"nothing holds this"
        service.variants.published(SITE, files, before=files)
        await made(service, *files.values())


class FullStore(MemoryVariantStore):
    """Takes nothing and answers nothing while it is broken."""

    is_broken = True

    def _check(self) -> None:
        if self.is_broken:
            raise StorageUnavailable("the disk is full")

    async def put(self, identity: Digest, variants: Mapping[ContentEncoding, bytes | None]) -> None:
        self._check()
        await super().put(identity, variants)

    async def locate(self, identity: Digest, encoding: ContentEncoding) -> Decision | None:
        self._check()
        return await super().locate(identity, encoding)


async def test_a_store_that_fails_has_no_variants_and_is_tried_again_with_the_next_publish() -> None:
    store = FullStore()
    async with compressing(store) as service:
        files = await service.files(a=page("a"), b=page("b"))
        service.variants.published(SITE, files, before=None)
        await eventually(lambda: service.compressor.rests, what="it to give up")
        assert len(service.given) == 1
        assert await service.variants.locate(files["a.html"], BROTLI) is None
        store.is_broken = False
        service.variants.published(SITE, files, before=files)
        await made(service, *files.values())


async def test_a_publish_does_not_wait_for_variants_and_readers_find_them_later(tmp_path: Path) -> None:
    async with publishing(tmp_path) as (made_for, service):
        made_for.compressor.gate.clear()
        service.write(index="x" * 5000)
        await service.syncer.sync(ENTITY, SyncWish(INTERNAL))
        view = await service.reader.open_own(ENTITY)
        content = view.locate("index.html")
        assert await service.reader.locate_variant(content, BROTLI) is None
        assert await service.page() == "x" * 5000
        made_for.compressor.gate.set()
        await made(made_for, content.digest)
        variant = await service.reader.locate_variant(content, BROTLI)
        assert variant is not None
        encoded = await service.reader.read_variant(variant)
        assert encoded is not None
        assert brotli.decompress(encoded) == b"x" * 5000
        assert variant.etag == f'"{Digest.of(encoded).sha256}"' != content.etag


async def test_a_forced_build_without_changes_finds_what_was_dropped(tmp_path: Path) -> None:
    async with publishing(tmp_path) as (made_for, service):
        made_for.compressor.poison = b"x"
        service.write(index="x" * 5000)
        await service.syncer.sync(ENTITY, SyncWish(INTERNAL))
        await eventually(lambda: made_for.compressor.rests, what="it to be skipped")
        made_for.compressor.poison = b"y"
        await service.syncer.sync(ENTITY, SyncWish(INTERNAL, force=True))
        await made(made_for, (await service.reader.open_own(ENTITY)).locate("index.html").digest)
