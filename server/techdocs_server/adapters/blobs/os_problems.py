"""What the operating system says, in words that name no path."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from techdocs_server.domain.errors import StorageUnavailable

_PROBLEMS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a file would be larger than this process may write",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EROFS: "the disk is read-only",
    errno.EIO: "the disk reports an input/output error",
    errno.EMFILE: "this process has too many open files",
    errno.ENFILE: "this machine has too many open files",
    errno.ENOENT: "a folder of the store is gone",
    errno.ENOTDIR: "a folder of the store is not a folder",
}


def storage_problem(error: OSError) -> StorageUnavailable:
    """Return our error for one of the operating system, without the path it names."""
    number = error.errno or 0
    return StorageUnavailable(_PROBLEMS.get(number) or os.strerror(number).lower())


@contextmanager
def reporting_os_errors() -> Iterator[None]:
    """Turn every `OSError` of the block into `StorageUnavailable`."""
    try:
        yield
    except OSError as error:
        raise storage_problem(error) from error
