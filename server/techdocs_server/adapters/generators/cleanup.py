"""Cleaning up to the end: under cancellation, and whatever a build did to its folders."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import uuid
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


async def finish(work: Awaitable[T]) -> T:
    """Await some work to its end, then let a cancellation that came meanwhile take effect.

    For work that is short and must not be left half done. Its result is lost when
    a cancellation follows.
    """
    future = asyncio.ensure_future(work)
    cancellation: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait({future})
        except asyncio.CancelledError as error:
            cancellation = error
    if cancellation is not None:
        raise cancellation
    return future.result()


def remove_folder(path: Path) -> None:
    """Remove a folder that nobody uses any more, whatever is in it. Blocks; never raises."""
    # Deep trees end the recursion, and what a build made unreadable stays: both are for the slower way.
    with contextlib.suppress(RecursionError):
        shutil.rmtree(path, ignore_errors=True)
    if path.is_dir() and not path.is_symlink():
        with contextlib.suppress(OSError):
            _remove_level_by_level(path)


def _remove_level_by_level(root: Path) -> None:
    """Remove a folder without ever naming anything more than two levels below it."""
    root.chmod(0o700)
    while entries := list(os.scandir(root)):
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _move_up(Path(entry.path), root)
            else:
                Path(entry.path).unlink()
    root.rmdir()


def _move_up(folder: Path, root: Path) -> None:
    """Move the folders in a folder to the root, and remove the rest of it."""
    folder.chmod(0o700)
    for entry in list(os.scandir(folder)):
        inner = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            # A folder that cannot be written cannot be moved to another one either.
            inner.chmod(0o700)
            inner.rename(root / uuid.uuid4().hex)
        else:
            inner.unlink()
    folder.rmdir()
