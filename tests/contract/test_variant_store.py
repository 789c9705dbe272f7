"""What every VariantStore promises."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.encoding import ContentEncoding
from techdocs_server.ports.variants import Decision, Variant, VariantStore

from tests.support.stores import VARIANT_STORES, open_variant_store

BROTLI, GZIP = ContentEncoding.BROTLI, ContentEncoding.GZIP
PAGE = Digest.of(b"a page")
OTHER = Digest.of(b"another page")


@pytest.fixture(params=VARIANT_STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[VariantStore]:
    async with open_variant_store(request.param, tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("size", [1, 60_000, 3 * 1024 * 1024 + 5])
async def test_a_variant_comes_back_as_it_went_in(store: VariantStore, size: int) -> None:
    brotli, gzip = os.urandom(size), os.urandom(size)
    await store.put(PAGE, {BROTLI: brotli, GZIP: gzip})
    assert await store.get(PAGE, BROTLI) == Variant(Digest.of(brotli), brotli)
    assert await store.get(PAGE, GZIP) == Variant(Digest.of(gzip), gzip)
    assert await store.locate(PAGE, BROTLI) == Decision(Digest.of(brotli))
    assert await store.locate(PAGE, GZIP) == Decision(Digest.of(gzip))


async def test_what_was_never_tried_is_not_decided(store: VariantStore) -> None:
    await store.put(OTHER, {BROTLI: b"x", GZIP: b"x"})
    assert await store.locate(PAGE, BROTLI) is None
    assert await store.get(PAGE, BROTLI) is None


async def test_not_worth_keeping_is_a_decision_and_no_variant(store: VariantStore) -> None:
    await store.put(PAGE, {BROTLI: b"short", GZIP: None})
    assert await store.locate(PAGE, GZIP) == Decision(None)
    assert await store.get(PAGE, GZIP) is None
    assert await store.get(PAGE, BROTLI) is not None
    assert await store.missing([PAGE]) == frozenset()


async def test_missing_are_those_that_lack_any_encoding(store: VariantStore) -> None:
    await store.put(PAGE, {BROTLI: b"x", GZIP: b"y"})
    await store.put(OTHER, {BROTLI: b"x"})
    never = Digest.of(b"never")
    assert await store.missing([PAGE, OTHER, never]) == {OTHER, never}
    assert await store.missing([]) == frozenset()


async def test_a_later_put_replaces(store: VariantStore) -> None:
    await store.put(PAGE, {BROTLI: b"old", GZIP: None})
    await store.put(PAGE, {BROTLI: None, GZIP: b"new"})
    assert await store.locate(PAGE, BROTLI) == Decision(None)
    assert await store.get(PAGE, GZIP) == Variant(Digest.of(b"new"), b"new")


async def test_variants_of_deleted_blobs_are_gone_and_others_stay(store: VariantStore) -> None:
    for page in (PAGE, OTHER):
        await store.put(page, {BROTLI: b"x", GZIP: None})
    for _ in range(2):
        await store.delete([PAGE.sha256, Digest.of(b"never").sha256])
        assert await store.locate(PAGE, BROTLI) is None
        assert await store.locate(PAGE, GZIP) is None
        assert await store.missing([PAGE, OTHER]) == {PAGE}
    await store.put(PAGE, {BROTLI: b"again"})
    assert await store.get(PAGE, BROTLI) == Variant(Digest.of(b"again"), b"again")


async def test_a_reader_beside_a_writer_gets_one_variant_or_the_other(store: VariantStore) -> None:
    contents = {Digest.of(content): content for content in (b"a" * 300_000, b"b" * 200_000)}
    await store.put(PAGE, {BROTLI: next(iter(contents.values()))})

    async def write() -> None:
        for content in [*contents.values()] * 5:
            await store.put(PAGE, {BROTLI: content})

    async def read() -> None:
        for _ in range(20):
            found = await store.get(PAGE, BROTLI)
            assert found is not None
            assert contents[found.digest] == found.content

    await asyncio.gather(write(), read(), read())
