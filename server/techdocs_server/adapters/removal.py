"""Removing folders off the way of whoever is done with them."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from techdocs_server.adapters.generators.cleanup import remove_folder

_MOST_WAITING = 8


class FolderRemoval:
    """Takes folders away at once and frees their space in a thread of its own.

    ``trash`` is a folder it owns, on the file system of the folders it is given; what
    an earlier process left there goes too. Call `close` in the end.
    """

    def __init__(self, trash: Path) -> None:
        self._trash = trash
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="removal")
        self._slots = threading.Semaphore(_MOST_WAITING)
        for left in _found(trash):
            self._later(_remove, left)

    def close(self) -> None:
        """Finish the folder at hand; the rest is removed at the next start. What comes later is removed by who brings it."""
        self._threads.shutdown(cancel_futures=True)

    def take(self, folder: Path) -> None:
        """Make a folder disappear, whatever is in it. One that is not there is no problem. Blocks; never raises.

        When many wait already, or the folder cannot be moved, it is removed before this
        returns: whoever makes folders faster than the disk removes them waits for it.
        """
        moved = self._moved(folder) if self._slots.acquire(blocking=False) else None
        # From where it is only now, never later: its name may be in use again by then.
        if moved is None:
            _remove(folder)
        elif not self._later(self._remove, moved):
            self._remove(moved)

    def _moved(self, folder: Path) -> Path | None:
        target = self._trash / uuid.uuid4().hex
        try:
            self._trash.mkdir(mode=0o700, parents=True, exist_ok=True)
            return folder.rename(target)
        except OSError:
            self._slots.release()
            return None

    def _remove(self, folder: Path) -> None:
        try:
            _remove(folder)
        finally:
            self._slots.release()

    def _later(self, work: Callable[[Path], None], folder: Path) -> bool:
        try:
            self._threads.submit(work, folder)
        except RuntimeError:
            return False
        return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        remove_folder(path)
        return
    # What a build put in the place of its folder.
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _found(trash: Path) -> list[Path]:
    try:
        return list(trash.iterdir())
    except OSError:
        return []
