from __future__ import annotations

import os
import signal
from pathlib import Path

from techdocs_server.sandbox.isolation import bubblewrap
from techdocs_server.sandbox.isolation.plan import ALL_LAYERS, IsolationPlan


def plan(*, programs: bool = False) -> IsolationPlan:
    return IsolationPlan(
        ALL_LAYERS, tree="/w/tree", writable=("/w/out",), readable=("/usr/lib/x", "/usr/lib"), programs=programs
    )


def test_child_has_no_namespace_of_the_servers_and_dies_with_it() -> None:
    prefix = bubblewrap.prefix(Path("/usr/bin/bwrap"), plan())
    assert prefix[:3] == ("/usr/bin/bwrap", "--unshare-all", "--die-with-parent")
    assert prefix[-1] == "--"
    # A session of its own would be out of reach for who kills the group.
    assert "--new-session" not in prefix


def test_only_folders_of_the_build_are_writable_and_outer_folders_come_first() -> None:
    words = list(bubblewrap.prefix(Path("/usr/bin/bwrap"), plan()))
    writable = [words[at + 1] for at, word in enumerate(words) if word == "--bind"]
    readable = [words[at + 1] for at, word in enumerate(words) if word == "--ro-bind-try"]
    assert writable == ["/w/tree", "/w/out"]
    assert readable == ["/usr/lib", "/usr/lib/x"]


def test_processes_are_listed_for_programs_only() -> None:
    assert "--proc" not in bubblewrap.prefix(Path("/usr/bin/bwrap"), plan())
    assert "--proc" in bubblewrap.prefix(Path("/usr/bin/bwrap"), plan(programs=True))


def test_command_is_found_on_a_path(tmp_path: Path) -> None:
    assert bubblewrap.find(str(tmp_path)) is None
    command = tmp_path / "bwrap"
    command.touch(mode=0o755)
    assert bubblewrap.find(f"/nowhere{os.pathsep}{tmp_path}") == command


def test_signal_is_told_from_the_exit_code() -> None:
    assert bubblewrap.exit_code(0) == 0
    assert bubblewrap.exit_code(1) == 1
    assert bubblewrap.exit_code(128 + signal.SIGKILL) == -signal.SIGKILL
    assert bubblewrap.exit_code(-signal.SIGKILL) == -signal.SIGKILL
