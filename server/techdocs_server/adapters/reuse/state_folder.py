"""What a folder must be to be kept for a later build."""

from __future__ import annotations

import os
import stat
from itertools import islice
from pathlib import Path

_MOST_FILES = 16
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def size_of_state(folder: Path) -> int | None:
    """Return the bytes of a folder's files; None when it is not one that a build may leave.

    It has files, not many, and nothing else. A file with a second name could be changed
    under that name after it was looked at. Nothing is followed. What cannot be looked
    at is none either.
    """
    try:
        statuses = _statuses(folder)
    except OSError:
        return None
    if not 0 < len(statuses) <= _MOST_FILES or not all(_is_plain(status) for status in statuses):
        return None
    return sum(status.st_size for status in statuses)


def _statuses(folder: Path) -> list[os.stat_result]:
    descriptor = os.open(folder, _OPEN_FOLDER)
    try:
        with os.scandir(descriptor) as entries:
            # One more than may be, and no further: there may be millions.
            names = [entry.name for entry in islice(entries, _MOST_FILES + 1)]
        return [os.stat(name, dir_fd=descriptor, follow_symlinks=False) for name in names]
    finally:
        os.close(descriptor)


def _is_plain(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1
