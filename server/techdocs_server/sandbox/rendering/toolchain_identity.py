"""One text for everything that is installed and decides what a page looks like."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

from techdocs_server.sandbox.rendering.values import digest

_OURS = Path(__file__).resolve().parents[1]


@functools.cache
def toolchain_identity() -> str:
    """Return a digest of the interpreter, of the names and versions of all packages, and of our own rules."""
    packages = {
        entry.name for folder in sys.path if folder for entry in Path(folder).glob("*.dist-info") if entry.is_dir()
    }
    own = [[str(path.relative_to(_OURS)), path.stat().st_size, path.stat().st_mtime_ns] for path in _OURS.rglob("*.py")]
    return digest(sys.version, sorted(packages), sorted(own))
