"""What the operating system says is told without its paths."""

from __future__ import annotations

import errno
import os

import pytest
from techdocs_server.adapters.blobs.os_problems import reporting_os_errors
from techdocs_server.domain.errors import StorageUnavailable


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EACCES, "permission denied"),
        (errno.EIO, "the disk reports an input/output error"),
        (errno.EROFS, "the disk is read-only"),
        (errno.ENOLCK, "no locks available"),
    ],
)
def test_problem_is_told_in_words_without_a_path(number: int, said: str) -> None:
    with pytest.raises(StorageUnavailable) as raised, reporting_os_errors():
        raise OSError(number, os.strerror(number), "/secret/place")
    assert raised.value.message == f"storage is unavailable: {said}"
