"""Cleaning up whatever happens."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from techdocs_server.adapters.generators.cleanup import finish, remove_folder

from tests.support.sites import write_files


async def test_work_is_finished_before_a_cancellation_takes_effect() -> None:
    may_end, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await may_end.wait()
        ended.set()

    task = asyncio.create_task(finish(work()))
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_result_and_error_of_work_come_out() -> None:
    async def fail() -> None:
        raise KeyError("x")

    assert await finish(asyncio.sleep(0, "done")) == "done"
    with pytest.raises(KeyError):
        await finish(fail())


def test_folder_is_removed_with_folders_that_forbid_it_and_links_are_not_followed(tmp_path: Path) -> None:
    outside = write_files(tmp_path / "outside", {"kept": "x"})
    folder = write_files(tmp_path / "folder", {"a/b/c": "x"})
    (folder / "a" / "link").symlink_to(outside)
    outside.chmod(0o500)
    (folder / "a" / "b").chmod(0)
    (folder / "a").chmod(0o500)
    remove_folder(folder)
    assert not folder.exists()
    assert outside.stat().st_mode & 0o777 == 0o500
    remove_folder(folder)


@pytest.mark.parametrize("levels", [100, 3000])
def test_folder_is_removed_however_deep_it_is(tmp_path: Path, levels: int) -> None:
    # Deeper than a path can name, and than a function can call itself.
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("deep", dir_fd=here)
        inner = os.open("deep", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=here))
    os.close(here)
    remove_folder(tmp_path / "deep")
    assert not (tmp_path / "deep").exists()
