"""Calls into the kernel that Python's library does not offer."""

from __future__ import annotations

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47

IS_LINUX = sys.platform == "linux"

_libc = ctypes.CDLL(None, use_errno=True)


def system_call(number: int, *arguments: object) -> int:
    """Make a system call whose arguments are integers, buffers and None. Raises `OSError`."""
    converted = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    result = _libc.syscall(ctypes.c_long(number), *converted)
    if result == -1:
        _raise_errno()
    return int(result)


def prctl(option: int, *arguments: object) -> None:
    """Change an attribute of this process, see prctl(2). Raises `OSError`."""
    converted = [ctypes.c_ulong(value) if isinstance(value, int) else value for value in arguments]
    # The kernel refuses some options when the arguments that they do not use are not zero.
    unused = [ctypes.c_ulong(0)] * (4 - len(converted))
    if _libc.prctl(ctypes.c_int(option), *converted, *unused) == -1:
        _raise_errno()


def _raise_errno() -> None:
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number))
