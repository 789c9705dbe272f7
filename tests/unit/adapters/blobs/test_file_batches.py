"""Files that are stored together survive a crash as each alone would."""

from __future__ import annotations

import asyncio
import os
import threading
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pytest
from techdocs_server.adapters.blobs.filesystem import FilesystemBlobStore
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.ports.blobs import OpenFile

from tests.support.blob_folder import file_of, temporary_files

CONTENTS = [b"content %d" % number for number in range(200)]
FILES: dict[Digest, OpenFile] = {Digest.of(content): partial(BytesIO, content) for content in CONTENTS}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


async def test_every_file_is_synced_before_it_has_its_name_and_every_folder_after(
    store: FilesystemBlobStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = os.fsync
    synced: set[bytes] = set()
    complete: set[str] = set()
    lock = threading.Lock()

    def noted(descriptor: int) -> None:
        sync(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        with lock:
            if path.is_dir():
                complete.update(path.name + file.name for file in path.iterdir())
            else:
                assert path.parent.parent == root / "tmp"
                synced.add(path.read_bytes())

    monkeypatch.setattr(os, "fsync", noted)
    rename = Path.rename

    def checked(path: Path, target: Path) -> Path:
        assert path.read_bytes() in synced
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", checked)
    await store.put_files(FILES)
    assert synced == set(CONTENTS)
    assert complete == {digest.sha256 for digest in FILES}


async def test_files_whose_folders_were_not_synced_count_as_missing(
    store: FilesystemBlobStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = os.fsync

    def refusing_folders(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink().is_dir():
            raise OSError(5, "the disk is gone")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", refusing_folders)
    with pytest.raises(StorageUnavailable):
        await store.put_files(FILES)
    monkeypatch.undo()
    assert all(file_of(root, digest).exists() for digest in FILES)
    assert await store.missing(list(FILES)) == FILES.keys()
    await store.put_files(FILES)
    assert await store.missing(list(FILES)) == frozenset()


async def test_disk_that_refuses_a_file_leaves_no_temporary_one(
    store: FilesystemBlobStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(descriptor: int) -> None:
        raise OSError(28, "the disk is full")

    monkeypatch.setattr(os, "fsync", refusing)
    with pytest.raises(StorageUnavailable, match="the disk is full"):
        await store.put_files(FILES)
    assert temporary_files(root) == []
    assert await store.missing(list(FILES)) == FILES.keys()


async def test_cancelled_put_leaves_no_temporary_file_and_no_thread_at_work(
    store: FilesystemBlobStore, root: Path
) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def stalled() -> BinaryIO:
        reached.set()
        assert go_on.wait(10)
        return BytesIO(b"stalled")

    put = asyncio.create_task(store.put_files({Digest.of(b"stalled"): stalled, **FILES}))
    assert await asyncio.to_thread(reached.wait, 10)
    put.cancel()
    await asyncio.sleep(0)
    assert not put.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await put
    assert temporary_files(root) == []
