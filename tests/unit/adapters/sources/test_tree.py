"""What belongs to a tree, and what cannot be made to."""

from __future__ import annotations

import ctypes
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest
from techdocs_server.adapters.sources.local_directory import LocalDirectoryPreparer
from techdocs_server.adapters.sources.tree import Stopped, TreeLimits, TreeWalk, open_root
from techdocs_server.adapters.sources.tree_copy import TreeCopy
from techdocs_server.domain.catalog_entity import SourceRef
from techdocs_server.domain.errors import BuildStepFailed, QuotaExceeded, StorageUnavailable

from tests.support.sites import files_below, write_files

T = TypeVar("T")
CACHE_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# made by a tool\n"


class Tree:
    """A folder, walked in this thread."""

    def __init__(self, folder: Path, *, max_files: int = 100, stopped: bool = False) -> None:
        self.folder = folder
        self.walk = TreeWalk(TreeLimits(10**6, max_files), excluded=(), is_stopped=lambda: stopped)

    def files(self, *, before_each: Callable[[bytes], object] = lambda path: None) -> list[str]:
        root = open_root(self.folder, display="the tree")
        try:
            found = []
            for file in self.walk.files(root):
                before_each(file.path)
                found.append(file.path.decode("utf-8", "backslashreplace"))
            return found
        finally:
            os.close(root)


def test_links_and_special_files_are_left_out_with_a_warning(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "tree", {"a.md": "a", "docs/b.md": "b"})
    outside = write_files(tmp_path / "outside", {"secret": "s"})
    (folder / "file-link").symlink_to(outside / "secret")
    (folder / "folder-link").symlink_to(outside)
    (folder / "docs" / "inner-link").symlink_to("../a.md")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
    tree = Tree(folder)
    assert tree.files() == ["a.md", "docs/b.md"]
    assert tree.walk.warnings == [
        "docs/inner-link was left out: it is a link",
        "file-link was left out: it is a link",
        "folder-link was left out: it is a link",
        "pipe was left out: it is neither a file nor a folder",
        "socket was left out: it is neither a file nor a folder",
    ]


def test_git_is_left_out_in_every_form_and_nothing_else_for_its_name(tmp_path: Path) -> None:
    kept = [".github/x", ".techdocs/x", "node_modules/x/y.md", "git/x", "venv/x"]
    folder = write_files(tmp_path, dict.fromkeys([*kept, ".git/config", "sub/.git", "sub/.git2"], ""))
    tree = Tree(folder)
    assert tree.files() == sorted([*kept, "sub/.git2"])
    assert tree.walk.warnings == []


def test_environments_and_caches_say_so_themselves_and_are_left_out(tmp_path: Path) -> None:
    files = {
        "env/pyvenv.cfg": "",
        "env/lib/x.py": "",
        "cache/CACHEDIR.TAG": CACHE_TAG,
        "cache/x": "",
        "not-a-cache/CACHEDIR.TAG": "something else",
    }
    tree = Tree(write_files(tmp_path, files))
    assert tree.files() == ["not-a-cache/CACHEDIR.TAG"]
    assert tree.walk.warnings == ["cache was left out: it is a cache", "env was left out: it is a Python environment"]


def test_tree_itself_may_say_it_is_a_cache(tmp_path: Path) -> None:
    assert Tree(write_files(tmp_path, {"CACHEDIR.TAG": CACHE_TAG, "pyvenv.cfg": ""})).files() == [
        "CACHEDIR.TAG",
        "pyvenv.cfg",
    ]


def test_warnings_are_bounded(tmp_path: Path) -> None:
    for number in range(150):
        (tmp_path / f"{number:03}").symlink_to("x")
    tree = Tree(tmp_path, max_files=200)
    assert tree.files() == []
    assert len(tree.walk.warnings) == 101
    assert tree.walk.warnings[-1] == "50 more things were left out"


@pytest.mark.parametrize("name", [b"br\xffoken", b"new\nline", b"\xc2\x9bcolour"])
def test_odd_names_are_files_and_are_safe_in_messages(tmp_path: Path, name: bytes) -> None:
    (tmp_path / os.fsdecode(name)).symlink_to("x")
    (tmp_path / os.fsdecode(name + b"2")).write_text("")
    tree = Tree(tmp_path)
    assert len(tree.files()) == 1
    assert tree.walk.warnings[0].isprintable()


def test_link_put_in_the_place_of_a_file_or_folder_leads_nowhere(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "tree", {"a": "", "b": "", "c/x": "", "d": ""})
    outside = write_files(tmp_path / "outside", {"secret": ""})

    def swap(path: bytes) -> None:
        if path == b"a":
            (folder / "b").unlink()
            (folder / "b").symlink_to(outside / "secret")
            (folder / "c").rename(folder / "moved")
            (folder / "c").symlink_to(outside)
            (folder / "d").unlink()

    tree = Tree(folder)
    assert tree.files(before_each=swap) == ["a"]
    # Of c, the open asks for a folder and for no link, and which of the two fails is the system's choice.
    assert [warning.split(" ")[0] for warning in tree.walk.warnings] == ["b", "c"]


def test_pipe_put_in_the_place_of_a_file_does_not_hang(tmp_path: Path) -> None:
    write_files(tmp_path, {"a": "", "b": ""})

    def swap(path: bytes) -> None:
        if path == b"a":
            (tmp_path / "b").unlink()
            os.mkfifo(tmp_path / "b")

    tree = Tree(tmp_path)
    assert tree.files(before_each=swap) == ["a"]
    assert tree.walk.warnings == ["b was left out: it is neither a file nor a folder"]


def test_depth_is_bounded(tmp_path: Path) -> None:
    write_files(tmp_path, {"d/" * 64 + "x": ""})
    assert len(Tree(tmp_path).files()) == 1
    write_files(tmp_path, {"d/" * 65 + "x": ""})
    with pytest.raises(QuotaExceeded, match=r"^the folder (d/){64}d is nested deeper than 64 levels$"):
        Tree(tmp_path).files()


def test_length_of_a_path_is_bounded(tmp_path: Path) -> None:
    folder = "/".join(["f" * 200] * 5)
    write_files(tmp_path, {f"{folder}/{'x' * 19}": ""})
    assert len(Tree(tmp_path).files()) == 1
    write_files(tmp_path, {f"{folder}/{'x' * 20}": ""})
    with pytest.raises(QuotaExceeded, match=r"is longer than 1024 bytes$"):
        Tree(tmp_path).files()


def test_numbers_of_folders_and_of_entries_are_bounded(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).mkdir()
    assert Tree(tmp_path, max_files=3).files() == []
    with pytest.raises(QuotaExceeded, match=r"^the source has more than 2 folders: c is one more$"):
        Tree(tmp_path, max_files=2).files()
    with pytest.raises(QuotaExceeded, match="has more than 2 entries"):
        Tree(tmp_path, max_files=1).files()


def test_walk_stops_when_asked(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        Tree(write_files(tmp_path, {"a": ""}), stopped=True).files()


def test_every_descriptor_is_closed_again(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "tree", {"a/b/c": "x" * 10, "d": "y"})
    descriptors = Path("/proc/self/fd")
    before = list(descriptors.iterdir())
    Tree(folder).files()
    root = open_root(folder, display="")
    small = TreeWalk(TreeLimits(5, 100), excluded=(), is_stopped=lambda: False)
    with pytest.raises(QuotaExceeded):
        TreeCopy(small, into=tmp_path / "copy").etag(root)
    os.close(root)
    assert list(descriptors.iterdir()) == before


@pytest.fixture
def readable_by_all() -> Iterator[Path]:
    """A folder that any user reaches; those of pytest are the owner's alone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def as_nobody(work: Callable[[], T]) -> T:
    """Do some work in a thread whose file accesses are those of a user without rights, also when root runs the tests."""

    def in_thread() -> T:
        ctypes.CDLL(None).setfsuid(65534)
        return work()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(in_thread).result()


@pytest.mark.parametrize("name", ["docs", "docs/secret.md"])
def test_what_may_not_be_read_fails_by_its_relative_path(readable_by_all: Path, name: str) -> None:
    write_files(readable_by_all, {"docs/secret.md": ""})
    (readable_by_all / name).chmod(0)
    expected = f"^{name} may not be read: give the server's user permission to read it$"
    with pytest.raises(BuildStepFailed, match=expected):
        as_nobody(Tree(readable_by_all).files)
    (readable_by_all / name).chmod(0o700)


def test_source_that_may_not_be_read_fails_by_its_display_name(readable_by_all: Path) -> None:
    readable_by_all.chmod(0)
    with pytest.raises(BuildStepFailed, match=r"^the documentation folder the tree may not be read$"):
        as_nobody(Tree(readable_by_all).files)
    readable_by_all.chmod(0o700)


def test_copy_that_cannot_be_written_fails_as_the_servers_problem(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "tree", {"a": ""})
    into = write_files(tmp_path / "copy", {"a": "already there"})
    root = open_root(folder, display="")
    with pytest.raises(StorageUnavailable, match="file exists"):
        TreeCopy(Tree(folder).walk, into=into).etag(root)
    os.close(root)


async def test_excluded_folders_are_part_of_no_source(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "tree", {"docs/a": "a", "data/blobs/b": "b", "data2/c": "c"})
    (tmp_path / "link-to-data").symlink_to(folder / "data")
    into = tmp_path / "copy"
    into.mkdir()
    preparer = LocalDirectoryPreparer(max_bytes=100, max_files=10, excluded={tmp_path / "link-to-data"})
    await preparer.prepare(SourceRef("dir", str(folder), "tree", "x"), into=into)
    assert files_below(into).keys() == {"docs/a", "data2/c"}
    for inside in ("data", "data/blobs"):
        with pytest.raises(BuildStepFailed, match="is inside the server's own data"):
            await preparer.etag(SourceRef("dir", str(folder / inside), inside, "x"))
    preparer.close()
