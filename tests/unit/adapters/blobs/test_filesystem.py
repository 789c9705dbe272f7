"""What is true of files only, beyond what every BlobStore promises."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from techdocs_server.adapters.blobs.filesystem import FilesystemBlobStore
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.errors import DigestMismatch, StorageUnavailable

from tests.support.blob_content import read, stored, streamed
from tests.support.blob_folder import file_of, temporary_files
from tests.support.store_processes import line_of, store_process

SMALL = b"small content"
LARGE = bytes(range(256)) * 4000
CONTENTS = pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "down" / "blobs"


@CONTENTS
async def test_blob_is_a_plain_file_named_for_its_digest(
    store: FilesystemBlobStore, root: Path, content: bytes
) -> None:
    digest = await stored(store, content)
    assert file_of(root, digest).read_bytes() == content
    assert temporary_files(root) == []


@CONTENTS
async def test_blobs_survive_closing_and_opening_again(root: Path, content: bytes) -> None:
    first = FilesystemBlobStore(root)
    digest = await stored(first, content)
    await first.close()
    second = FilesystemBlobStore(root)
    assert await second.missing([digest]) == frozenset()
    assert await read(second, digest) == content
    await second.close()
    assert list((root / "tmp").iterdir()) == []


@CONTENTS
async def test_stored_blob_is_not_written_again(store: FilesystemBlobStore, root: Path, content: bytes) -> None:
    digest = await stored(store, content)
    before = file_of(root, digest).stat()
    await stored(store, content)
    after = file_of(root, digest).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@CONTENTS
@pytest.mark.parametrize("damage", ["truncated", "emptied", "grown"])
async def test_blob_of_the_wrong_size_is_corrupt_until_it_is_put_again(
    store: FilesystemBlobStore, root: Path, content: bytes, damage: str
) -> None:
    digest = await stored(store, content)
    bytes_now = {"truncated": content[:-1], "emptied": b"", "grown": content + b"!"}[damage]
    file_of(root, digest).write_bytes(bytes_now)
    for offset in (0, 1):
        with pytest.raises(DigestMismatch):
            await anext(store.get(digest, offset=offset))
    assert await store.missing([digest]) == {digest}
    await stored(store, content)
    assert await store.missing([digest]) == frozenset()
    assert await read(store, digest) == content


@CONTENTS
@pytest.mark.parametrize("position", [0, 5, -1])
async def test_all_bytes_of_a_changed_blob_are_never_delivered(
    store: FilesystemBlobStore, root: Path, content: bytes, position: int
) -> None:
    digest = await stored(store, content)
    changed = bytearray(content)
    changed[position] ^= 1
    file_of(root, digest).write_bytes(changed)
    delivered = bytearray()
    with pytest.raises(DigestMismatch):
        async for chunk in store.get(digest):
            delivered += chunk
    assert len(delivered) < len(content)
    # Known as damaged now, so that a publish stores it again.
    assert await store.missing([digest]) == {digest}
    await stored(store, content)
    assert await read(store, digest) == content


async def test_blob_that_shrinks_while_it_is_read_is_corrupt(store: FilesystemBlobStore, root: Path) -> None:
    digest = await stored(store, LARGE)
    reader = store.get(digest, offset=1)
    await anext(reader)
    with file_of(root, digest).open("r+b") as file:
        file.truncate(300_000)
    with pytest.raises(DigestMismatch):
        async for _ in reader:
            pass


@CONTENTS
async def test_failed_put_leaves_no_temporary_file(store: FilesystemBlobStore, root: Path, content: bytes) -> None:
    with pytest.raises(DigestMismatch):
        await store.put(Digest.of(content), streamed(content[:-1] + b"?"))
    assert temporary_files(root) == []


async def test_cancelled_put_leaves_no_temporary_file(store: FilesystemBlobStore, root: Path) -> None:
    content = bytes(3 * 1024 * 1024)
    reached = asyncio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        yield content[:-1]
        assert len(temporary_files(root)) == 1
        reached.set()
        await asyncio.Event().wait()

    put = asyncio.create_task(store.put(Digest.of(content), stalled()))
    async with asyncio.timeout(10):
        await reached.wait()
    put.cancel()
    with pytest.raises(asyncio.CancelledError):
        await put
    assert temporary_files(root) == []


async def test_temporary_files_of_a_killed_process_are_removed_at_the_next_start(root: Path) -> None:
    async with store_process("stalled_put", root) as process:
        assert await line_of(process) == "stalled"
        assert len(temporary_files(root)) == 1
        process.kill()
    assert len(temporary_files(root)) == 1
    store = FilesystemBlobStore(root)
    assert temporary_files(root) == []
    assert len(list((root / "tmp").iterdir())) == 1
    await store.close()


async def test_put_goes_on_while_another_process_starts_and_ends(root: Path) -> None:
    async with store_process("stalled_put", root) as process:
        assert await line_of(process) == "stalled"
        second = FilesystemBlobStore(root)
        await second.close()
        assert len(temporary_files(root)) == 1
        assert process.returncode is None


async def test_full_disk_is_said_to_be_full_and_reading_goes_on(tmp_path: Path) -> None:
    in_small_disk = _command_with_small_disk(tmp_path)
    if in_small_disk is None:
        pytest.skip("this machine lets no one mount a small disk; the limit on file sizes is tested all the same")
    async with store_process("put_until_full", tmp_path / "blobs", inside=in_small_disk) as process:
        said = await line_of(process)
    assert said == "storage is unavailable: the disk is full; 0 left; 1 missing; first"


async def test_refused_write_leaves_nothing_and_reading_goes_on(tmp_path: Path) -> None:
    async with store_process("put_beyond_file_size", tmp_path / "blobs") as process:
        said = await line_of(process)
    problem = "storage is unavailable: a file would be larger than this process may write"
    assert said == f"{problem}; 0 left; 1 missing; first"


async def test_denied_permission_is_not_taken_for_missing(tmp_path: Path) -> None:
    async with store_process("use_without_permission", tmp_path / "blobs") as process:
        said = await line_of(process)
    assert said == " | ".join(["storage is unavailable: permission denied"] * 3)
    (tmp_path / "blobs").chmod(0o700)


async def test_store_whose_disk_went_away_is_not_taken_for_empty(store: FilesystemBlobStore, root: Path) -> None:
    digest = await stored(store, SMALL)
    root.rename(root.with_name("elsewhere"))
    root.mkdir()
    for call in (read(store, digest), store.missing([digest]), stored(store, b"other")):
        with pytest.raises(StorageUnavailable, match="a folder of the store is gone"):
            await call
    shutil.rmtree(root)
    root.with_name("elsewhere").rename(root)
    assert await read(store, digest) == SMALL


async def test_root_that_cannot_be_made_is_refused_without_naming_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageUnavailable) as raised:
        FilesystemBlobStore(tmp_path / "file" / "blobs")
    assert str(tmp_path) not in raised.value.message


async def test_closed_store_is_unavailable(root: Path) -> None:
    store = FilesystemBlobStore(root)
    digest = await stored(store, SMALL)
    await store.close()
    await store.close()
    for call in (read(store, digest), store.missing([digest]), stored(store, b"other")):
        with pytest.raises(StorageUnavailable, match="closed"):
            await call


async def test_small_blob_costs_one_hop_to_a_thread(
    store: FilesystemBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = await stored(store, bytes(200_000))
    loop = asyncio.get_running_loop()
    wake_ups = []
    wake_up = loop.call_soon_threadsafe

    def counted(*arguments: object, **named: object) -> asyncio.Handle:
        wake_ups.append(arguments)
        return wake_up(*arguments, **named)  # type: ignore[arg-type]  # handed through as they came

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    assert len(await read(store, digest)) == 200_000
    assert len(wake_ups) == 1
    await store.missing([digest, *(Digest.of(b"%d" % number) for number in range(50))])
    assert len(wake_ups) == 2


def _command_with_small_disk(folder: Path) -> list[str] | None:
    """Return a command that runs another with a disk of 2 MB at a folder, if this machine has one."""
    script = f'mount -t tmpfs -o size=2m,mode=700 small "{folder}" && exec "$@"'
    for unshare in (["unshare", "--mount"], ["unshare", "--mount", "--map-root-user"]):
        command = [*unshare, "sh", "-c", script, "sh"]
        try:
            if subprocess.run([*command, "true"], capture_output=True, check=False, timeout=10).returncode == 0:
                return command
        except FileNotFoundError:
            return None
    return None


async def test_files_that_are_no_blobs_are_neither_listed_nor_touched(store: FilesystemBlobStore, root: Path) -> None:
    digest = await stored(store, SMALL)
    strange = file_of(root, digest).with_name("note.txt")
    strange.write_text("left by somebody")
    assert [blob.sha256 async for blob in store.stored()] == [digest.sha256]
    await store.delete([digest.sha256])
    assert strange.exists()


async def test_deletion_leaves_the_folder_for_the_next_put(store: FilesystemBlobStore, root: Path) -> None:
    digest = await stored(store, SMALL)
    await store.delete([digest.sha256])
    assert list(file_of(root, digest).parent.iterdir()) == []


async def test_reader_of_a_deleted_file_gets_all_of_it(store: FilesystemBlobStore) -> None:
    digest = await stored(store, LARGE)
    reader = store.get(digest)
    first = await anext(reader)
    await store.delete([digest.sha256])
    assert first + b"".join([chunk async for chunk in reader]) == LARGE


async def test_store_whose_folders_are_gone_is_not_taken_for_an_empty_one(
    store: FilesystemBlobStore, root: Path
) -> None:
    digest = await stored(store, SMALL)
    shutil.rmtree(root)
    with pytest.raises(StorageUnavailable):
        [blob async for blob in store.stored()]
    with pytest.raises(StorageUnavailable):
        await store.delete([digest.sha256])
