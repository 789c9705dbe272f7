"""Finds out what isolation really does on this machine: a child is isolated like a build, and tries to get out."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import secrets
import select
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypedDict

from techdocs_server.sandbox.isolation.level import Guarantee, IsolationLevel
from techdocs_server.sandbox.isolation.plan import Layer
from techdocs_server.sandbox.isolation.probe import ATTEMPTS, MARK, SEND_LOCALLY, SEND_UDP, Targets

LEFTOVER = "leave a process behind"

_TIMEOUT_SECONDS = 30.0
# Killed processes are gone in milliseconds; on a loaded machine it takes longer.
_GONE_SECONDS = 1.0
_PIECE_BYTES = 65536


class _Record(TypedDict):
    layers: list[str]
    absent: dict[str, str]
    unusable: str
    reached: list[str]
    leftover: int


class SelfTestFailed(Exception):
    """The child did not come to its end. The message holds what it said."""


class Unusable(Exception):
    """The child cannot reach a folder that builds need. The message is for the operator."""


@dataclass(frozen=True, slots=True)
class SelfTestRun:
    """How the child is started: the command but for its last argument, the whole environment, the working folder."""

    command: Sequence[str]
    environment: Mapping[str, str]
    directory: Path


def run(child: SelfTestRun, *, asked: frozenset[Layer], scratch: Path) -> IsolationLevel:
    """Run the child and return what held.

    ``scratch`` is an existing folder that the child is not given, and where this
    makes a few files that the caller removes. Blocks up to half a minute. Raises
    `SelfTestFailed`, `Unusable` and `OSError`. No process is left.
    """
    with _targets(scratch, tuple(child.environment)) as (targets, receivers):
        argument = json.dumps(dataclasses.asdict(targets))
        record, leftover = _run([*child.command, argument], child)
        unheard = [name for name, receiver in receivers.items() if not _has_heard(receiver)]
    if record["unusable"]:
        raise Unusable(f"builds cannot use {record['unusable']}: they have none of root's rights over others' files")
    broken: dict[Guarantee, tuple[str, ...]] = {}
    for name in (name for name in record["reached"] if name not in unheard):
        guarantee, _ = ATTEMPTS[name]
        broken[guarantee] = (*broken.get(guarantee, ()), name)
    if leftover:
        broken[Guarantee.LEFTOVERS] = (LEFTOVER,)
    absent = {Layer(layer): why for layer, why in record["absent"].items()}
    return IsolationLevel(asked - absent.keys(), broken, absent)


@contextlib.contextmanager
def _targets(scratch: Path, environment: tuple[str, ...]) -> Iterator[tuple[Targets, Mapping[str, socket.socket]]]:
    secret = scratch / "secret"
    secret.write_bytes(b"not for builds")
    secret.chmod(0o600)
    abstract = f"techdocs-self-test-{secrets.token_hex(8)}"
    with contextlib.ExitStack() as opened:

        def open_socket(family: int, kind: int, address: str | tuple[str, int]) -> socket.socket:
            target = opened.enter_context(socket.socket(family, kind))
            target.bind(address)
            if kind == socket.SOCK_STREAM:
                target.listen()
            return target

        tcp = open_socket(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0))
        udp = open_socket(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0))
        # Names of sockets are 107 bytes at most, and the caller's folder may lie deep.
        names = opened.enter_context(tempfile.TemporaryDirectory(prefix="techdocs-"))
        open_socket(socket.AF_UNIX, socket.SOCK_STREAM, f"{names}/stream")
        datagram = open_socket(socket.AF_UNIX, socket.SOCK_DGRAM, f"{names}/datagram")
        open_socket(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + abstract)
        targets = Targets(
            tcp_port=tcp.getsockname()[1],
            udp_port=udp.getsockname()[1],
            stream=f"{names}/stream",
            datagram=f"{names}/datagram",
            abstract=abstract,
            secret=str(secret),
            process=os.getpid(),
            environment=environment,
        )
        yield targets, {SEND_UDP: udp, SEND_LOCALLY: datagram}


def _has_heard(receiver: socket.socket) -> bool:
    readable, _, _ = select.select([receiver], [], [], 0)
    return bool(readable)


def _run(command: Sequence[str], child: SelfTestRun) -> tuple[_Record, bool]:
    """Return what the child said and whether anything of it outlived its group."""
    with subprocess.Popen(  # noqa: S603 - the toolchain's interpreter, our own arguments
        command,
        env=child.environment,
        cwd=child.directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        bufsize=0,
    ) as process:
        assert process.stdout is not None  # noqa: S101 - said by stdout=PIPE
        watchdog = threading.Timer(_TIMEOUT_SECONDS, _kill_group, [process.pid])
        watchdog.start()
        try:
            said = _read_until_record(process.stdout)
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        finally:
            watchdog.cancel()
            # Before the first process is reaped: until then its number is nobody else's.
            _kill_group(process.pid)
        record = _parse(said)
        outlived = not _is_closed_soon(process.stdout)
        if outlived:
            with contextlib.suppress(OSError):
                os.kill(record["leftover"], signal.SIGKILL)
        return record, outlived


def _read_until_record(output: IO[bytes]) -> str:
    said = b""
    while piece := output.read(_PIECE_BYTES):
        said += piece
        if MARK.encode() in said and said.endswith(b"\n"):
            break
    return said.decode("utf-8", "replace")


def _parse(said: str) -> _Record:
    before, mark, record = said.rpartition(MARK)
    if not mark:
        raise SelfTestFailed(" ".join(before.split() or record.split())[-500:] or "it said nothing")
    parsed: _Record = json.loads(record)
    return parsed


def _is_closed_soon(output: IO[bytes]) -> bool:
    """Whether every process that holds the other end is gone within a second."""
    readable, _, _ = select.select([output], [], [], _GONE_SECONDS)
    return bool(readable) and output.read(_PIECE_BYTES) == b""


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
