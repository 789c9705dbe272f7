"""Running git: bounded, alone, and knowing nothing of this machine or its user.

What git runs is told by its environment as a whole. No configuration of the system or the user is read,
no hook, filter, credential helper or file system monitor runs, no redirect is followed, and one protocol is
spoken: that of the host. A secret is neither an argument nor a variable: git asks a script of ours for it,
which reads a file that only this user may read, in a folder that is removed afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from techdocs_server.adapters.generators.cleanup import finish
from techdocs_server.adapters.sources.source_hosts import SourceHost

_SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin"
_MAX_ERROR_BYTES = 64 * 1024
_CHUNK_BYTES = 256 * 1024
# git maps packs and inflates objects below core.bigFileThreshold whole; what it needs beside that is small.
_ADDRESS_SPACE_KIB = 3 * 1024 * 1024
# POSIX counts file sizes in blocks of 512 bytes.
_LIMITED = 'ulimit -c 0 && ulimit -f "$1" && ulimit -v "$2" && shift 2 && exec "$@"'
# git asks twice: "Username for 'https://host': " and "Password for ...".
_ASKPASS = '#!/bin/sh\ncase "$1" in\nUsername*) exec cat "$0.user" ;;\n*) exec cat "$0.secret" ;;\nesac\n'

CONFIGURATION: Mapping[str, str] = {
    "advice.detachedHead": "false",
    "core.attributesFile": os.devnull,
    "core.bigFileThreshold": "8m",
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.packedGitLimit": "256m",
    "core.packedGitWindowSize": "32m",
    "core.protectHFS": "true",
    "core.protectNTFS": "true",
    # Links are made as links, and left out when the tree is copied: as files they would become pages.
    "core.symlinks": "true",
    "credential.helper": "",
    "fetch.negotiationAlgorithm": "noop",  # the repository is new: there is nothing to tell a server of
    "fetch.recurseSubmodules": "false",
    "fetch.unpackLimit": "1",  # one pack, whose size the limit on files bounds
    "gc.auto": "0",
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",  # bytes a second
    "http.lowSpeedTime": "60",  # seconds
    "index.threads": "1",
    "maintenance.auto": "false",
    "pack.threads": "1",
    "submodule.recurse": "false",
    "transfer.bundleURI": "false",
    "transfer.fsckObjects": "true",
}


class GitOutputTooLarge(Exception):
    """git printed more than it may, and was killed for that."""


class GitFailed(Exception):
    """git ended with an error; ``message`` is what it printed, as it did."""

    def __init__(self, exit_code: int, message: str) -> None:
        super().__init__(f"git ended with {exit_code}")
        self.exit_code = exit_code
        self.message = message


@dataclass(frozen=True, slots=True)
class GitLimits:
    """How much one git command may print, and how large a file it may write."""

    max_output_bytes: int
    max_file_bytes: int


def find_git() -> str | None:
    """Return the git that is used, None when there is none."""
    return shutil.which("git", path=_SEARCH_PATH)


class GitCommand:
    """Runs git for one source, in one private folder.

    ``private`` is an empty folder that the caller removes afterwards.
    ``pinned`` is what to connect to in place of resolving the host's name, in the
    form of curl's CURLOPT_RESOLVE; empty when there is no name.
    """

    def __init__(
        self,
        private: Path,
        host: SourceHost,
        *,
        pinned: str,
        limits: GitLimits,
        configuration: Mapping[str, str] = CONFIGURATION,
    ) -> None:
        self._private = private
        self._limits = limits
        self._environment = {
            "PATH": _SEARCH_PATH,
            "LC_ALL": "C",
            "HOME": str(private),
            "XDG_CONFIG_HOME": str(private),
            "TMPDIR": str(private),
            "GIT_ALLOW_PROTOCOL": ":".join(host.schemes),
            "GIT_ASKPASS": _write_askpass(private, host),
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_LFS_SKIP_SMUDGE": "1",
            "GIT_LITERAL_PATHSPECS": "1",
            "GIT_TERMINAL_PROMPT": "0",
            **_as_variables({**configuration, **_of_host(host, pinned)}),
        }

    async def run(
        self, *arguments: str, standard_input: bytes = b"", variables: Mapping[str, str] | None = None
    ) -> bytes:
        """Run one git command and return what it prints.

        Raises `GitFailed`, `GitOutputTooLarge`, and `OSError` when git cannot be
        started. However the call ends, cancellation included, git and what it
        started are gone.
        """
        process = await asyncio.create_subprocess_exec(
            *self._limited("git", *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self._private,
            env={**self._environment, **(variables or {})},
            start_new_session=True,
            # Python ignores SIGXFSZ, and so does git then: it says that a file grew too large instead of being killed.
            restore_signals=False,
        )
        talk = _Conversation(process, max_output_bytes=self._limits.max_output_bytes)
        ending = asyncio.ensure_future(talk.hold(standard_input))
        try:
            await asyncio.shield(ending)
        finally:
            talk.kill_group()
            await finish(ending)
        if talk.is_too_large:
            raise GitOutputTooLarge
        if process.returncode != 0:
            raise GitFailed(process.returncode or 0, talk.error.decode("utf-8", "replace"))
        return bytes(talk.output)

    def _limited(self, *command: str) -> Sequence[str]:
        blocks = str(self._limits.max_file_bytes // 512 + 1)
        return ("/bin/sh", "-c", _LIMITED, "sh", blocks, str(_ADDRESS_SPACE_KIB), *command)


class _Conversation:
    """Feeds a process and reads both of its outputs until it is gone."""

    def __init__(self, process: asyncio.subprocess.Process, *, max_output_bytes: int) -> None:
        self._process = process
        self._max_output_bytes = max_output_bytes
        self.output = bytearray()
        self.error = bytearray()
        self.is_too_large = False

    async def hold(self, standard_input: bytes) -> None:
        """Go on until the process has ended and its outputs are closed."""
        await asyncio.gather(self._feed(standard_input), self._read_output(), self._read_error())
        await self._process.wait()

    def kill_group(self) -> None:
        """Kill the process and what it started; no effect once it was reaped."""
        if self._process.returncode is None:
            # PermissionError: some systems say so of a group of zombies.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _feed(self, content: bytes) -> None:
        stream = self._process.stdin
        assert stream is not None  # noqa: S101 - it was started with a pipe
        # A process that is gone already is seen by its exit.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if content:
                stream.write(content)
                await stream.drain()
        stream.close()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            await stream.wait_closed()

    async def _read_output(self) -> None:
        stream = self._process.stdout
        assert stream is not None  # noqa: S101 - it was started with a pipe
        while chunk := await stream.read(_CHUNK_BYTES):
            if len(self.output) + len(chunk) > self._max_output_bytes:
                self.is_too_large = True
                self.kill_group()
            else:
                self.output += chunk

    async def _read_error(self) -> None:
        stream = self._process.stderr
        assert stream is not None  # noqa: S101 - it was started with a pipe
        while chunk := await stream.read(_CHUNK_BYTES):
            # What git ends with is its reason.
            self.error = (self.error + chunk)[-_MAX_ERROR_BYTES:]


def _of_host(host: SourceHost, pinned: str) -> Mapping[str, str]:
    more = {"http.curloptResolve": pinned} if pinned else {}
    if host.ca_certificates is not None:
        more["http.sslCAInfo"] = str(host.ca_certificates.absolute())
    return more


def _as_variables(configuration: Mapping[str, str]) -> Mapping[str, str]:
    variables = {"GIT_CONFIG_COUNT": str(len(configuration))}
    for number, (key, value) in enumerate(configuration.items()):
        variables |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return variables


def _write_askpass(private: Path, host: SourceHost) -> str:
    """Write the script that git asks for credentials, and return its path; without a token there is nothing to answer."""
    if host.token is None:
        return "false"
    script = private / "askpass"
    _write_new(script, _ASKPASS, mode=0o700)
    _write_new(script.with_suffix(".user"), host.token_user + "\n", mode=0o600)
    _write_new(script.with_suffix(".secret"), host.token + "\n", mode=0o600)
    return str(script)


def _write_new(path: Path, text: str, *, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
