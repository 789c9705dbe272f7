"""The child of the self-test: isolates itself as far as it can, then tries to get out.

Its parent has put up targets, see `Targets`, and gets one record on standard output.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import json
import mmap
import os
import resource
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from techdocs_server.sandbox.isolation import privileges, stages
from techdocs_server.sandbox.isolation.level import Guarantee
from techdocs_server.sandbox.isolation.plan import IsolationPlan, Layer

MARK = "\x1e"

# Sending succeeds where nobody hears it: the parent says whether it arrived.
SEND_UDP = "send over UDP"
SEND_LOCALLY = "send to a local socket"

_PTRACE_SEIZE = 0x4206
_LEFTOVER_SECONDS = 5.0
_CONNECT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Targets:
    """What must not be reached. ``stream``, ``datagram`` and ``abstract`` are names of local sockets, ``secret`` of a file."""

    tcp_port: int
    udp_port: int
    stream: str
    datagram: str
    abstract: str
    secret: str
    process: int
    environment: tuple[str, ...]


Attempt = Callable[[IsolationPlan, Targets], object]
"""Raises OSError or MemoryError, or returns a false value, when it is stopped."""


def main() -> None:
    """Isolate, try everything, print the record."""
    plan, absent = _isolate(IsolationPlan.from_json(sys.argv[1]))
    targets = Targets(**json.loads(sys.argv[2]))
    record = {
        "layers": sorted(plan.layers),
        "absent": absent,
        "unusable": _unusable(plan),
        "reached": [name for name, (_, attempt) in ATTEMPTS.items() if _succeeds(attempt, plan, targets)],
        "leftover": _leave_a_process_behind(),
    }
    os.write(1, f"{MARK}{json.dumps(record)}\n".encode())


def _isolate(plan: IsolationPlan) -> tuple[IsolationPlan, dict[str, str]]:
    absent = {}
    privileges.die_with_parent()
    privileges.forgo()
    for layer, step in stages.STEPS.items():
        try:
            if layer in plan.layers:
                step(plan)
        except (OSError, ValueError) as error:
            absent[str(layer)] = str(error)
            plan = dataclasses.replace(plan, layers=plan.layers - {layer})
    stages.seal(plan)
    return plan, absent


def _succeeds(attempt: Attempt, plan: IsolationPlan, targets: Targets) -> bool:
    try:
        return bool(attempt(plan, targets))
    except (OSError, MemoryError, OverflowError):
        return False


def _unusable(plan: IsolationPlan) -> str:
    """Return a folder that every build needs and that isolation took away, or nothing."""
    for folder in filter(os.path.isdir, sys.path):
        try:
            next(Path(folder).iterdir(), None)
        except OSError:
            return folder
    for folder in plan.writable:
        try:
            Path(folder, "probe").write_bytes(b"probe")
        except OSError:
            return folder
    return ""


def _tcp(_: IsolationPlan, targets: Targets) -> bool:
    with socket.create_connection(("127.0.0.1", targets.tcp_port), timeout=_CONNECT_SECONDS):
        return True


def _udp(_: IsolationPlan, targets: Targets) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        return sender.sendto(b"probe", ("127.0.0.1", targets.udp_port))


def _connect(name: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(_CONNECT_SECONDS)
        client.connect(name)
        return True


def _datagram_pair(_: IsolationPlan, targets: Targets) -> int:
    mine, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with mine, other:
        return mine.sendto(b"probe", targets.datagram)


def _empty(_: IsolationPlan, targets: Targets) -> object:
    os.truncate(targets.secret, 1)
    return True


def _new_mode(_: IsolationPlan, targets: Targets) -> bool:
    Path(targets.secret).chmod(0o666)
    return Path(targets.secret).stat().st_mode & 0o777 == 0o666


def _trace(_: IsolationPlan, targets: Targets) -> bool:
    # Unlike attaching it stops nothing, and ends with this process.
    process, none = ctypes.c_long(targets.process), ctypes.c_long(0)
    return bool(ctypes.CDLL(None).ptrace(ctypes.c_long(_PTRACE_SEIZE), process, none, none) == 0)


def _signal(_: IsolationPlan, targets: Targets) -> bool:
    os.kill(targets.process, 0)
    return True


def _limit(_: IsolationPlan, targets: Targets) -> object:
    return resource.prlimit(targets.process, resource.RLIMIT_NOFILE)


def _take_memory(plan: IsolationPlan, kind: int) -> bool:
    # More than what is allowed for libraries on top. Not touched: it takes addresses, not memory.
    with mmap.mmap(-1, plan.limits.memory_bytes + 2 * 1024**3, flags=kind | mmap.MAP_ANONYMOUS) as memory:
        return len(memory) > 0


def _large_file(plan: IsolationPlan, _: Targets) -> bool:
    with Path(plan.writable[0], "probe").open("wb") as file:
        # Not written: a hole is as large.
        file.truncate(plan.limits.file_bytes + 1)
    return True


def _many_files(plan: IsolationPlan, _: Targets) -> bool:
    with contextlib.ExitStack() as opened:
        for _number in range(plan.limits.open_files):
            opened.enter_context(Path("/dev/null").open("rb"))
        return True


def _new_process(plan: IsolationPlan, _: Targets) -> bool:
    if plan.programs or plan.workers > 1:
        # The parent counts them instead.
        return Layer.RLIMITS not in plan.layers
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return True


def _leave_a_process_behind() -> int:
    """Start one that leaves the process group and keeps standard output open; return its id, 0 when that is refused."""
    try:
        pid = os.fork()
    except OSError:
        return 0
    if pid == 0:
        with contextlib.suppress(OSError):
            os.setsid()
        time.sleep(_LEFTOVER_SECONDS)
        os._exit(0)
    return pid


ATTEMPTS: dict[str, tuple[Guarantee, Attempt]] = {
    "connect over TCP": (Guarantee.NETWORK, _tcp),
    SEND_UDP: (Guarantee.NETWORK, _udp),
    "connect to a local socket": (Guarantee.NETWORK, lambda _, targets: _connect(targets.stream)),
    "connect to an abstract socket": (Guarantee.NETWORK, lambda _, targets: _connect("\0" + targets.abstract)),
    SEND_LOCALLY: (Guarantee.NETWORK, _datagram_pair),
    "read a file of the server": (Guarantee.SECRETS, lambda _, targets: Path(targets.secret).read_bytes()),
    "read the server's environment": (
        Guarantee.SECRETS,
        lambda _, targets: Path(f"/proc/{targets.process}/environ").read_bytes(),
    ),
    "find more in the environment": (Guarantee.SECRETS, lambda _, targets: set(os.environ) - set(targets.environment)),
    "make a file outside": (Guarantee.WRITES, lambda _, targets: Path(targets.secret + ".new").write_bytes(b"probe")),
    "empty a file outside": (Guarantee.WRITES, _empty),
    "change a file's mode outside": (Guarantee.WRITES, _new_mode),
    "write to the source": (Guarantee.SOURCE, lambda plan, _: Path(plan.tree, "probe").write_bytes(b"probe")),
    "signal the server": (Guarantee.PROCESSES, _signal),
    "trace the server": (Guarantee.PROCESSES, _trace),
    "see the server's limits": (Guarantee.PROCESSES, _limit),
    "take more memory": (Guarantee.LIMITS, lambda plan, _: _take_memory(plan, mmap.MAP_PRIVATE)),
    "take more shared memory": (Guarantee.LIMITS, lambda plan, _: _take_memory(plan, mmap.MAP_SHARED)),
    "write a larger file": (Guarantee.LIMITS, _large_file),
    "open more files": (Guarantee.LIMITS, _many_files),
    "start a process": (Guarantee.LIMITS, _new_process),
    "use the processor without end": (
        Guarantee.LIMITS,
        lambda plan, _: resource.getrlimit(resource.RLIMIT_CPU)[0] > plan.limits.processor_seconds,
    ),
}
