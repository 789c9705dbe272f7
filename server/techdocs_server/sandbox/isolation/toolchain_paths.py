"""Which files of this machine an interpreter and what is installed beside it need.

To be asked in a child as builds have it: the server's own sys.path says nothing of theirs.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

# Of this package, for the child's own imports; not the rest of the server, which may lie anywhere.
_OURS = Path(__file__).resolve().parents[1]

_OF_A_PREFIX = ("bin", "lib", "lib64", "share", "pyvenv.cfg")

# Shared libraries, time zones, media types and fonts. Of /etc single files only: the rest is the machine's business.
_SYSTEM = (
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/share",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/ssl/openssl.cnf",
)

# What drawing tools need beyond that: themselves, their settings and fonts.
_PROGRAMS = (
    "/bin",
    "/usr/bin",
    "/usr/libexec",
    "/usr/local/bin",
    "/usr/local/share",
    "/etc/alternatives",
    "/etc/fonts",
    "/var/cache/fontconfig",
)
_PROGRAMS_BELOW_ETC = "java*"


def readable() -> list[str]:
    """Return the existing files and folders that this interpreter's child needs to read, of ours the sandbox's too."""
    prefixes = dict.fromkeys((sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix))
    own = [str(Path(prefix, name)) for prefix in prefixes for name in _OF_A_PREFIX]
    wanted = dict.fromkeys([*own, *sys.path, *_SYSTEM, *_ours()])
    return [path for path in wanted if path and Path(path).is_absolute() and Path(path).exists()]


def programs() -> list[str]:
    """Return the existing files and folders that programs need beyond `readable`."""
    etc = sorted(map(str, Path("/etc").glob(_PROGRAMS_BELOW_ETC)))
    return [path for path in (*_PROGRAMS, *etc) if Path(path).exists()]


def main() -> None:
    """Print both as JSON."""
    json.dump({"readable": readable(), "programs": programs()}, sys.stdout)


def _ours() -> tuple[str, str]:
    return str(_OURS), str(_OURS.with_name("__init__.py"))
