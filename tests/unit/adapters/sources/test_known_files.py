"""Files that did not change are not read again, and every change is seen."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from techdocs_server.adapters.sources import known_files
from techdocs_server.adapters.sources.known_files import KnownFiles, KnownSources
from techdocs_server.adapters.sources.local_directory import LocalDirectoryPreparer
from techdocs_server.domain.catalog_entity import SourceRef
from techdocs_server.domain.errors import QuotaExceeded

from tests.support.sites import write_files

FILES = {"mkdocs.yml": "site_name: x\n", "docs/index.md": "# x\n", "docs/a.md": "a"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path / "source", FILES)


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make files count as settled from the moment they are written, since nobody can set back when a file changed."""
    monkeypatch.setattr(known_files, "_SETTLED_NS", -(10**9))


@pytest.fixture
def preparer() -> Iterator[LocalDirectoryPreparer]:
    opened = LocalDirectoryPreparer(max_bytes=1000, max_files=100)
    yield opened
    opened.close()


def source_of(folder: Path) -> SourceRef:
    return SourceRef(type="dir", location=str(folder), display="the docs", site_name="x")


async def fresh(folder: Path) -> str:
    """Return the etag that someone tells who knows nothing."""
    preparer = LocalDirectoryPreparer(max_bytes=10**6, max_files=100)
    try:
        return await preparer.etag(source_of(folder))
    finally:
        preparer.close()


def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows with every read of a file."""
    found: list[int] = []
    read = os.read

    def counted(descriptor: int, size: int) -> bytes:
        found.append(size)
        return read(descriptor, size)

    monkeypatch.setattr(os, "read", counted)
    return found


@pytest.mark.usefixtures("settled")
async def test_unchanged_source_is_not_read_again(
    preparer: LocalDirectoryPreparer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await preparer.etag(source_of(folder))
    counted = reads(monkeypatch)
    assert await preparer.etag(source_of(folder)) == first
    assert counted == []
    (folder / "docs/a.md").write_text("b")
    assert await preparer.etag(source_of(folder)) == await fresh(folder) != first


async def test_file_that_changed_just_now_is_read_every_time(
    preparer: LocalDirectoryPreparer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await preparer.etag(source_of(folder))
    counted = reads(monkeypatch)
    await preparer.etag(source_of(folder))
    assert len(counted) == len(FILES)


def rewritten_with_its_size_and_time(folder: Path) -> None:
    status = (folder / "docs/a.md").stat()
    (folder / "docs/a.md").write_text("b")
    os.utime(folder / "docs/a.md", ns=(status.st_atime_ns, status.st_mtime_ns))


def replaced_by_a_file_of_the_same_size_and_time(folder: Path) -> None:
    status = (folder / "docs/a.md").stat()
    (folder / "docs/new").write_text("b")
    os.utime(folder / "docs/new", ns=(status.st_atime_ns, status.st_mtime_ns))
    (folder / "docs/new").rename(folder / "docs/a.md")


def swapped_with_another(folder: Path) -> None:
    (folder / "docs/a.md").rename(folder / "aside")
    (folder / "docs/index.md").rename(folder / "docs/a.md")
    (folder / "aside").rename(folder / "docs/index.md")


def removed(folder: Path) -> None:
    (folder / "docs/a.md").unlink()


def made_a_link(folder: Path) -> None:
    (folder / "docs/a.md").unlink()
    (folder / "docs/a.md").symlink_to("index.md")


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    "change",
    [
        rewritten_with_its_size_and_time,
        replaced_by_a_file_of_the_same_size_and_time,
        swapped_with_another,
        removed,
        made_a_link,
    ],
)
async def test_change_that_hides_is_seen(preparer: LocalDirectoryPreparer, folder: Path, change: object) -> None:
    before = await preparer.etag(source_of(folder))
    time.sleep(0.02)  # two ticks of the kernel's clock, which a real file has 40 seconds for
    assert callable(change)
    change(folder)
    assert await preparer.etag(source_of(folder)) == await fresh(folder) != before


@pytest.mark.usefixtures("settled")
async def test_copy_reads_every_file_whatever_is_known(
    preparer: LocalDirectoryPreparer, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    etag = await preparer.etag(source_of(folder))
    (tmp_path / "copy").mkdir()
    counted = reads(monkeypatch)
    assert (await preparer.prepare(source_of(folder), into=tmp_path / "copy")).etag == etag
    assert len(counted) == len(FILES)
    # What the copy learnt serves the next question.
    await preparer.etag(source_of(folder))
    assert len(counted) == len(FILES)


@pytest.mark.usefixtures("settled")
async def test_limits_hold_for_files_that_are_known(folder: Path) -> None:
    preparer = LocalDirectoryPreparer(max_bytes=100, max_files=100)
    await preparer.etag(source_of(folder))
    (folder / "docs/new").write_text("x" * 90)
    for _ in range(2):
        with pytest.raises(QuotaExceeded, match="larger than 100 bytes"):
            await preparer.etag(source_of(folder))
    preparer.close()
    few = LocalDirectoryPreparer(max_bytes=1000, max_files=4)
    await few.etag(source_of(folder))
    (folder / "docs/more").write_text("x")
    with pytest.raises(QuotaExceeded, match="more than 4 files"):
        await few.etag(source_of(folder))
    few.close()


def test_times_in_the_future_are_not_trusted(folder: Path) -> None:
    files = KnownFiles({})
    path = folder / "mkdocs.yml"
    os.utime(path, (time.time() + 1000, time.time() + 1000))
    files.learn(b"mkdocs.yml", path.stat(), b"d" * 32)
    assert files.found == {}


@pytest.mark.usefixtures("settled")
def test_sources_read_longest_ago_are_forgotten(folder: Path) -> None:
    known = KnownSources(most_files=5)
    status = (folder / "mkdocs.yml").stat()
    for name in ("first", "second", "third"):
        files = known.of(name)
        for number in range(2):
            files.learn(b"%d" % number, status, b"d" * 32)
        known.keep(name, files)
    assert [known.of(name).digest(b"0", status) for name in ("first", "second", "third")] == [
        None,
        b"d" * 32,
        b"d" * 32,
    ]
