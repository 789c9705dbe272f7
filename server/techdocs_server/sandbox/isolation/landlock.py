"""Landlock: which files this process and its descendants may reach, for good.

Numbers and structures: linux/landlock.h; what each version of the interface
brought: https://docs.kernel.org/userspace-api/landlock.html. Rules only ever add up
to less: a second call restricts what the first one left.
"""

from __future__ import annotations

import ctypes
import enum
import os
import stat
import struct
from collections.abc import Iterable, Mapping

from techdocs_server.sandbox.isolation.kernel import IS_LINUX, system_call

# The same numbers on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1

_NET_BIND_TCP, _NET_CONNECT_TCP = 1, 2
_SCOPE_ABSTRACT_UNIX_SOCKET, _SCOPE_SIGNAL = 1, 2

NETWORK_ABI = 4
SCOPE_ABI = 6


class Access(enum.IntFlag):
    """Rights on files and folders (LANDLOCK_ACCESS_FS_*)."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    REMOVE_DIR = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_CHAR = 1 << 6
    MAKE_DIR = 1 << 7
    MAKE_REG = 1 << 8
    MAKE_SOCK = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_BLOCK = 1 << 11
    MAKE_SYM = 1 << 12
    REFER = 1 << 13
    TRUNCATE = 1 << 14
    IOCTL_DEV = 1 << 15


READ = Access.READ_FILE | Access.READ_DIR
RUN = READ | Access.EXECUTE
# Regular files and folders only: no links, devices, pipes or sockets are made anywhere.
_CHANGE = (
    Access.WRITE_FILE
    | Access.REMOVE_DIR
    | Access.REMOVE_FILE
    | Access.MAKE_DIR
    | Access.MAKE_REG
    | Access.REFER
    | Access.TRUNCATE
)
WRITE = READ | _CHANGE

_ON_A_FILE = Access.EXECUTE | Access.WRITE_FILE | Access.READ_FILE | Access.TRUNCATE | Access.IOCTL_DEV
_CHANGES_ANYTHING = ~int(RUN)


def abi() -> int:
    """Return the version of the interface that this kernel offers, 0 for none."""
    if not IS_LINUX:
        return 0
    try:
        return system_call(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)
    except OSError:
        return 0


def handled_files(version: int) -> Access:
    """Return every right on files that an interface of this version knows."""
    newest = {1: Access.MAKE_SYM, 2: Access.REFER, 3: Access.TRUNCATE, 4: Access.TRUNCATE}.get(
        version, Access.IOCTL_DEV
    )
    return Access(2 * int(newest) - 1)


def confine(rules: Mapping[str, Access]) -> None:
    """Forbid every file but those beneath the paths given, TCP, abstract sockets and signals to others.

    A path that cannot be reached is left out: nothing can be reached through it.
    Raises `OSError` when the kernel refuses; the process is then as before.
    """
    version = abi()
    _restrict(handled_files(version), rules, network=version >= NETWORK_ABI, scopes=version >= SCOPE_ABI)


def forbid_changes(*, except_below: Iterable[str]) -> None:
    """Forbid every change of files and folders but below the paths given; reading stays as it is.

    Raises `OSError` when the kernel refuses.
    """
    handled = Access(handled_files(abi()) & _CHANGES_ANYTHING)
    _restrict(handled, dict.fromkeys(except_below, WRITE), network=False, scopes=False)


def _restrict(handled: Access, rules: Mapping[str, Access], *, network: bool, scopes: bool) -> None:
    attributes = struct.pack(
        "=QQQ",
        handled,
        _NET_BIND_TCP | _NET_CONNECT_TCP if network else 0,
        _SCOPE_ABSTRACT_UNIX_SOCKET | _SCOPE_SIGNAL if scopes else 0,
    )
    # Older kernels take a longer structure too as long as what they do not know is zero.
    ruleset = system_call(_CREATE_RULESET, ctypes.c_char_p(attributes), len(attributes), 0)
    try:
        for path, rights in rules.items():
            _allow(ruleset, path, rights & handled)
        system_call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: Access) -> None:
    try:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    try:
        if not stat.S_ISDIR(os.fstat(beneath).st_mode):
            rights &= _ON_A_FILE
        # The kernel refuses a rule that allows nothing.
        if rights:
            rule = struct.pack("=Qi", rights, beneath)
            system_call(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.c_char_p(rule), 0)
    finally:
        os.close(beneath)
