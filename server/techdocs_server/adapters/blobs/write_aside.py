"""Temporary files, and the removal of those that dead processes left.

Each process has a folder of its own, and holds a lock on it while it lives:

    tmp/<random>/<random>     one file for each put in flight

A folder whose lock is free belongs to nobody any more. The kernel frees a lock
when its process ends, however it ends, so process ids (which repeat, and mean
nothing in another container) are not needed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from pathlib import Path

from techdocs_server.domain.errors import StorageUnavailable

_ATTEMPTS = 10


class WriteAsideFolder:
    """The temporary files of this process, below a folder shared by all. Blocking.

    Constructing removes what dead processes left. Raises `OSError`, or
    `StorageUnavailable` when no folder can be had.
    """

    def __init__(self, parent: Path) -> None:
        parent.mkdir(parents=True, exist_ok=True)
        self.found_leftovers = _remove_leftovers(parent)
        self._folder, self._lock = _claim_folder(parent)

    @property
    def exists(self) -> bool:
        """Whether the folder is still there; it is not when its disk went away."""
        return self._folder.is_dir()

    def new_path(self) -> Path:
        """Return a path that is free and stays so for everyone else."""
        return self._folder / uuid.uuid4().hex

    def close(self) -> None:
        """Remove the folder. No put may be in flight. May be called twice."""
        if self._lock is None:
            return
        shutil.rmtree(self._folder, ignore_errors=True)
        os.close(self._lock)
        self._lock = None


def _remove_leftovers(parent: Path) -> bool:
    """Remove the folders of dead processes; say whether there were any."""
    found = False
    for folder in parent.iterdir():
        lock = _locked(folder)
        if lock is None:
            continue
        try:
            shutil.rmtree(folder, ignore_errors=True)
            found = True
        finally:
            os.close(lock)
    return found


def _claim_folder(parent: Path) -> tuple[Path, int | None]:
    """Make a folder and lock it.

    Between the two, another process that starts may take the folder for a dead
    one's and remove it; then the next one will do.
    """
    for _ in range(_ATTEMPTS):
        folder = parent / uuid.uuid4().hex
        folder.mkdir()
        lock = _locked(folder)
        if lock is None:
            continue
        if folder.is_dir():
            return folder, lock
        os.close(lock)
    raise StorageUnavailable("no folder for temporary files can be had")


def _locked(folder: Path) -> int | None:
    """Lock a folder and return what holds the lock, or None when it is another's or gone."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
