"""Cleaning up to the end: under cancellation, and whatever a build did to its folders."""

from __future__ import annotations

import asyncio
import os
import shutil
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
    """Remove a folder that nobody uses any more, also when folders in it forbid that. Blocks; never raises."""
    shutil.rmtree(path, ignore_errors=True)
    if not path.is_dir():
        return
    path.chmod(0o700)
    for folder, names, _ in os.walk(path):
        for inner in (Path(folder, name) for name in names):
            # A link may lead to a folder that is not ours.
            if not inner.is_symlink():
                inner.chmod(0o700)
    shutil.rmtree(path, ignore_errors=True)
