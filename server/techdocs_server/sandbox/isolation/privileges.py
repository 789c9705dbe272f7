"""What this process was given beyond its user id, and gives up."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import struct

from techdocs_server.sandbox.isolation.kernel import (
    IS_LINUX,
    PR_CAP_AMBIENT,
    PR_CAPBSET_DROP,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    prctl,
    system_call,
)

_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x2008_0522
_CAPSET = {"x86_64": 126, "aarch64": 91}
_MOST_CAPABILITIES = 64


def die_with_parent() -> None:
    """End this process when the one that started it ends, however it does. On Linux only."""
    if IS_LINUX:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def outlive_parent() -> None:
    """Take `die_with_parent` back."""
    if IS_LINUX:
        prctl(PR_SET_PDEATHSIG, 0)


def forgo() -> None:
    """Give up inherited files, and on Linux every capability and every way to get one.

    Root stays the owner of its files, without the rights over everything else.
    Raises `OSError` when the kernel refuses.
    """
    os.umask(0o077)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    # bubblewrap sets it; the parent did not.
    os.environ.pop("PWD", None)
    if not IS_LINUX:
        return
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    # Without the right to do so there is nothing to drop: no_new_privs makes the bounding set meaningless.
    with contextlib.suppress(OSError):
        for capability in range(_MOST_CAPABILITIES):
            prctl(PR_CAPBSET_DROP, capability)
    with contextlib.suppress(OSError):
        prctl(PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    number = _CAPSET.get(os.uname().machine)
    if number is not None:
        header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
        system_call(number, ctypes.c_char_p(header), ctypes.c_char_p(bytes(24)))
