from __future__ import annotations

import pytest
from techdocs_server.sandbox.isolation.landlock import READ, WRITE, Access, handled_files


@pytest.mark.parametrize(
    ("version", "newest"),
    [
        (1, Access.MAKE_SYM),
        (2, Access.REFER),
        (3, Access.TRUNCATE),
        (4, Access.TRUNCATE),
        (5, Access.IOCTL_DEV),
        (7, Access.IOCTL_DEV),
        (99, Access.IOCTL_DEV),
    ],
)
def test_every_right_that_a_version_knows_is_handled(version: int, newest: Access) -> None:
    handled = handled_files(version)
    assert newest in handled
    assert int(handled) == 2 * int(newest) - 1


def test_writing_makes_regular_files_and_folders_only_and_runs_nothing() -> None:
    assert READ in WRITE
    for right in (
        Access.EXECUTE,
        Access.MAKE_SYM,
        Access.MAKE_FIFO,
        Access.MAKE_SOCK,
        Access.MAKE_CHAR,
        Access.MAKE_BLOCK,
        Access.IOCTL_DEV,
    ):
        assert right not in WRITE
