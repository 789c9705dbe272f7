"""Namespaces of its own for a child, made by the command bwrap(1)."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from techdocs_server.sandbox.isolation.plan import IsolationPlan

NAME = "bwrap"


def find(search_path: str | None = None) -> Path | None:
    """Return the command, looked for on a PATH, None for the process's own; or None."""
    found = shutil.which(NAME, path=search_path)
    return Path(found) if found else None


def prefix(bwrap: Path, plan: IsolationPlan) -> Sequence[str]:
    """Return the start of a command line; what is to run follows.

    The child sees the plan's paths under their own names and nothing else: no
    network, no process but its own. When bwrap or its caller dies, so do they all.
    It stays in the caller's session and process group. The tree is writable: that it becomes
    read-only is Landlock's.
    """
    return (
        str(bwrap),
        "--unshare-all",
        "--die-with-parent",
        *("--cap-drop", "ALL"),
        # Programs find their libraries by it. It shows the child's own processes only.
        *(("--proc", "/proc") if plan.programs else ()),
        *("--tmpfs", "/dev"),
        *_binds("--dev-bind", ("/dev/null", "/dev/random", "/dev/urandom")),
        # Sorted, a folder comes before what lies in it: bound later, it would cover it.
        *_binds("--ro-bind-try", sorted(plan.readable)),
        *_binds("--bind", (plan.tree, *plan.writable)),
        # What else there is lies in memory that no limit counts.
        *("--remount-ro", "/dev"),
        *("--remount-ro", "/"),
        "--",
    )


def exit_code(code: int) -> int:
    """Return the exit code of what ran, negative for a signal, as bwrap tells it: 128 and the signal's number."""
    return 128 - code if code > 128 else code


def _binds(option: str, paths: Sequence[str]) -> list[str]:
    return [argument for path in paths for argument in (option, path, path)]
