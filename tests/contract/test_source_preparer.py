"""What every SourcePreparer promises, shown with local folders, the only ones."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from techdocs_server.adapters.sources.local_directory import LocalDirectoryPreparer
from techdocs_server.domain.catalog_entity import SourceRef
from techdocs_server.domain.errors import BuildStepFailed, QuotaExceeded
from techdocs_server.ports.sources import SourcePreparer

from tests.support.sites import files_below, write_files

FILES = {"mkdocs.yml": "site_name: x\n", "docs/index.md": "# x\n", "docs/a/b/c.md": "c", "docs/empty.css": ""}


@pytest.fixture
def preparer() -> Iterator[SourcePreparer]:
    opened = LocalDirectoryPreparer(max_bytes=10**7, max_files=100)
    yield opened
    opened.close()


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "copy"
    folder.mkdir()
    return folder


def source_of(folder: Path) -> SourceRef:
    return SourceRef(type="dir", location=str(folder), display="the docs", site_name="x")


async def test_copy_has_every_file_and_the_etag_that_was_announced(
    preparer: SourcePreparer, tmp_path: Path, into: Path
) -> None:
    source = source_of(write_files(tmp_path / "source", FILES))
    announced = await preparer.etag(source)
    prepared = await preparer.prepare(source, into=into)
    assert prepared.etag == announced
    assert prepared.warnings == ()
    assert files_below(into) == {name: text.encode() for name, text in FILES.items()}


async def test_source_is_only_read(preparer: SourcePreparer, tmp_path: Path, into: Path) -> None:
    folder = write_files(tmp_path / "source", FILES)
    before = {path: path.stat() for path in folder.rglob("*")}
    await preparer.prepare(source_of(folder), into=into)
    assert {path: path.stat()[:8] for path in folder.rglob("*")} == {path: stat[:8] for path, stat in before.items()}
    (into / "mkdocs.yml").write_text("changed")
    assert (folder / "mkdocs.yml").read_text() == FILES["mkdocs.yml"]


async def test_etag_is_of_content_and_not_of_time(preparer: SourcePreparer, tmp_path: Path) -> None:
    first, second = (write_files(tmp_path / name, FILES) for name in ("first", "second"))
    os.utime(second / "docs/index.md", (1, 1))
    (second / "docs/index.md").chmod(0o600)
    (second / "an-empty-folder").mkdir()
    assert await preparer.etag(source_of(first)) == await preparer.etag(source_of(second))


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "docs/index.md").write_text("# y\n"),
        lambda folder: (folder / "docs/index.md").rename(folder / "docs/other.md"),
        lambda folder: (folder / "docs/empty.css").unlink(),
        lambda folder: (folder / "docs/new").write_text(""),
    ],
    ids=["content", "name", "removal", "addition"],
)
async def test_every_change_of_a_file_changes_the_etag(
    preparer: SourcePreparer, tmp_path: Path, change: Callable[[Path], object]
) -> None:
    folder = write_files(tmp_path / "source", FILES)
    before = await preparer.etag(source_of(folder))
    change(folder)
    assert await preparer.etag(source_of(folder)) != before


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=8).filter(
    lambda name: name not in (".", "..", ".git", "pyvenv.cfg", "CACHEDIR.TAG")
)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
TREES = st.dictionaries(PATHS, st.binary(max_size=40), max_size=8).filter(
    lambda tree: not any(other.startswith(path + "/") for path in tree for other in tree)
)


@settings(max_examples=60, deadline=None)
@given(TREES, TREES)
def test_equal_etags_mean_equal_trees(first: dict[str, bytes], second: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        etags = asyncio.run(_etags(Path(folder), [first, second, dict(reversed(first.items()))]))
    assert etags[0] == etags[2]
    assert (etags[0] == etags[1]) == (first == second)


async def _etags(folder: Path, trees: list[dict[str, bytes]]) -> list[str]:
    preparer = LocalDirectoryPreparer(max_bytes=10**6, max_files=100)
    etags = []
    for number, tree in enumerate(trees):
        source = source_of(write_files(folder / f"source-{number}", tree))
        into = folder / f"copy-{number}"
        into.mkdir()
        prepared = await preparer.prepare(source, into=into)
        assert files_below(into) == tree
        assert prepared.etag == await preparer.etag(source) == await preparer.etag(source_of(into))
        etags.append(prepared.etag)
    preparer.close()
    return etags


async def test_missing_source_fails_by_the_name_people_know(preparer: SourcePreparer, tmp_path: Path) -> None:
    write_files(tmp_path, {"file": ""})
    with pytest.raises(BuildStepFailed, match=r"^the documentation folder the docs does not exist$"):
        await preparer.etag(source_of(tmp_path / "none"))
    with pytest.raises(BuildStepFailed, match=r"^the documentation folder the docs is not a folder$"):
        await preparer.etag(source_of(tmp_path / "file"))


async def test_source_beyond_a_limit_is_refused_by_path_and_limit(tmp_path: Path, into: Path) -> None:
    source = source_of(write_files(tmp_path / "source", {"a": "12345", "b/c": "12345"}))
    small = LocalDirectoryPreparer(max_bytes=9, max_files=2)
    few = LocalDirectoryPreparer(max_bytes=10, max_files=1)
    enough = LocalDirectoryPreparer(max_bytes=10, max_files=2)
    with pytest.raises(QuotaExceeded, match=r"^the source is larger than 9 bytes: b/c goes beyond$"):
        await small.etag(source)
    with pytest.raises(QuotaExceeded, match=r"^the source is larger than 9 bytes: b/c goes beyond$"):
        await small.prepare(source, into=into)
    with pytest.raises(QuotaExceeded, match=r"^the source has more than 1 files: b/c is one more$"):
        await few.etag(source)
    assert await enough.etag(source)
    for preparer in (small, few, enough):
        preparer.close()


async def test_nothing_is_written_after_a_cancellation(preparer: SourcePreparer, tmp_path: Path, into: Path) -> None:
    folder = write_files(tmp_path / "source", {f"{number:02}": b"x" * 50_000 for number in range(90)})
    running = asyncio.create_task(preparer.prepare(source_of(folder), into=into))
    # At the first file, not some files later: the whole copy takes no longer than a pause of other waiting.
    async with asyncio.timeout(10):
        while not any(into.iterdir()):
            await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    copied = files_below(into)
    await preparer.etag(source_of(folder))
    assert files_below(into) == copied
