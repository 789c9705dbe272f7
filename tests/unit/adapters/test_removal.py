"""Folders go at once, and their space soon after."""

from __future__ import annotations

from pathlib import Path

from techdocs_server.adapters.removal import FolderRemoval

from tests.support.sites import write_files
from tests.support.waiting import eventually


async def test_folder_is_gone_at_once_and_its_files_soon(tmp_path: Path) -> None:
    removal = FolderRemoval(tmp_path / "removed")
    folder = write_files(tmp_path / "folder", {f"{number}/file": "x" for number in range(100)})
    removal.take(folder)
    assert not folder.exists()
    await eventually(lambda: not list((tmp_path / "removed").iterdir()), what="the files to be removed")
    removal.close()


async def test_name_can_be_used_again_at_once(tmp_path: Path) -> None:
    removal = FolderRemoval(tmp_path / "removed")
    for number in range(30):
        folder = write_files(tmp_path / "folder", {"file": str(number)})
        removal.take(folder)
        assert not folder.exists()
    removal.take(tmp_path / "folder")
    await eventually(lambda: not list((tmp_path / "removed").iterdir()), what="the files to be removed")
    removal.close()


async def test_what_an_earlier_process_left_is_removed(tmp_path: Path) -> None:
    write_files(tmp_path / "removed", {"one/file": "x", "two/file": "x"})
    removal = FolderRemoval(tmp_path / "removed")
    await eventually(lambda: not list((tmp_path / "removed").iterdir()), what="the leftovers to be removed")
    removal.close()


def test_folder_that_cannot_be_moved_is_removed_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "removed").write_text("no folder")
    removal = FolderRemoval(tmp_path / "removed")
    folder = write_files(tmp_path / "folder", {"file": "x"})
    removal.take(folder)
    assert not folder.exists()
    removal.close()


def test_closed_removal_still_removes(tmp_path: Path) -> None:
    removal = FolderRemoval(tmp_path / "removed")
    removal.close()
    folder = write_files(tmp_path / "folder", {"file": "x"})
    removal.take(folder)
    assert not folder.exists()
    assert not list((tmp_path / "removed").iterdir())


def test_link_is_removed_and_not_what_it_names(tmp_path: Path) -> None:
    removal = FolderRemoval(tmp_path / "removed")
    outside = write_files(tmp_path / "outside", {"file": "x"})
    (tmp_path / "folder").symlink_to(outside)
    removal.take(tmp_path / "folder")
    removal.take(tmp_path / "not there")
    removal.close()
    assert list((tmp_path / "removed").iterdir()) == []
    assert (outside / "file").read_text() == "x"
