"""Variants on a disk that is not kind to them."""

from __future__ import annotations

import logging
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from techdocs_server.adapters.variants.filesystem import FilesystemVariantStore
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.encoding import ContentEncoding
from techdocs_server.domain.errors import StorageUnavailable

from tests.support.stores import open_variant_store

BROTLI, GZIP = ContentEncoding.BROTLI, ContentEncoding.GZIP
PAGE = Digest.of(b"a page")
CONTENT = bytes(range(256)) * 40


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[FilesystemVariantStore]:
    async with open_variant_store("filesystem", tmp_path) as opened:
        assert isinstance(opened, FilesystemVariantStore)
        await opened.put(PAGE, {BROTLI: CONTENT, GZIP: None})
        yield opened


def file_of(folder: Path, encoding: ContentEncoding = BROTLI) -> Path:
    return folder / "variants" / encoding.value / PAGE.sha256[:2] / PAGE.sha256[2:]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "half a header": lambda file: file[:20],
    "header only": lambda file: file[:44],
    "cut": lambda file: file[:-1],
    "longer": lambda file: file + b"x",
    "zeroed": lambda file: bytes(len(file)),
    "bit of the magic": lambda file: bytes([file[0] ^ 1]) + file[1:],
    "bit of the digest": lambda file: file[:10] + bytes([file[10] ^ 1]) + file[11:],
    "bit of the size": lambda file: file[:37] + bytes([file[37] ^ 128]) + file[38:],
    "bit of the content": lambda file: file[:999] + bytes([file[999] ^ 1]) + file[1000:],
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_variant_is_never_handed_out_and_is_made_again(
    store: FilesystemVariantStore, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = file_of(tmp_path)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with caplog.at_level(logging.WARNING):
        assert await store.get(PAGE, BROTLI) is None
    assert [record.message for record in caplog.records] == ["variant_damaged"]
    assert await store.locate(PAGE, BROTLI) is None
    assert await store.missing([PAGE]) == {PAGE}
    await store.put(PAGE, {BROTLI: CONTENT})
    found = await store.get(PAGE, BROTLI)
    assert found is not None
    assert found.content == CONTENT
    assert await store.missing([PAGE]) == frozenset()


async def test_a_decision_against_a_variant_can_be_damaged_too(store: FilesystemVariantStore, tmp_path: Path) -> None:
    path = file_of(tmp_path, GZIP)
    path.write_bytes(path.read_bytes()[:-1])
    assert await store.locate(PAGE, GZIP) is None
    assert await store.missing([PAGE]) == {PAGE}


async def test_variants_outlive_the_store_and_leave_nothing_aside(
    store: FilesystemVariantStore, tmp_path: Path
) -> None:
    await store.close()
    assert list((tmp_path / "variants" / "tmp").iterdir()) == []
    async with open_variant_store("filesystem", tmp_path) as again:
        found = await again.get(PAGE, BROTLI)
        assert found is not None
        assert found.content == CONTENT
        assert await again.missing([PAGE]) == frozenset()


async def test_a_store_whose_folder_is_gone_has_none_and_takes_none(
    store: FilesystemVariantStore, tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path / "variants")
    assert await store.get(PAGE, BROTLI) is None
    assert await store.missing([PAGE]) == {PAGE}
    with pytest.raises(StorageUnavailable):
        await store.put(PAGE, {BROTLI: CONTENT})


async def test_a_file_that_cannot_be_read_is_the_storage_at_fault(
    store: FilesystemVariantStore, tmp_path: Path
) -> None:
    path = file_of(tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(StorageUnavailable):
        await store.get(PAGE, BROTLI)
    with pytest.raises(StorageUnavailable):
        await store.put(PAGE, {BROTLI: CONTENT})
    assert list((tmp_path / "variants" / "tmp").glob("*/*")) == []


async def test_a_closed_store_says_so(store: FilesystemVariantStore) -> None:
    await store.close()
    with pytest.raises(StorageUnavailable):
        await store.locate(PAGE, BROTLI)
