"""Writing what an archive holds: regular files and folders, below one folder, bounded in everything.

A name that leads elsewhere, or that means different things to different
readers, refuses the whole archive: nobody packs such a thing by accident. Links and special files
are left out with a warning, as in every source.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from techdocs_server.adapters.sources.problems import refused
from techdocs_server.adapters.sources.tree import MAX_DEPTH, MAX_PATH_BYTES, TreeLimits, readable
from techdocs_server.domain.errors import BuildStepFailed, QuotaExceeded

_MAX_NAME_BYTES = 255
_MAX_WARNINGS = 100
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(slots=True)
class ArchiveEntry:
    """One entry: its name as the archive has it, what it is, and its content, which is read before the next entry.

    ``left_out`` says what an entry is that is neither a file nor a folder.
    """

    name: bytes
    content: Iterator[bytes] | None = None
    left_out: str = ""


@dataclass(slots=True)
class Unpacking:
    """Writes entries below ``root``, an empty folder. After a failure it may hold anything.

    ``are_names_checked`` is there to show that the rules on names hold something back.
    """

    root: Path
    limits: TreeLimits
    are_names_checked: bool = True
    warnings: list[str] = field(default_factory=list)
    _entries: int = 0
    _bytes: int = 0

    def write(self, entry: ArchiveEntry) -> None:
        """Write one entry. A file that came before under the same name is replaced.

        Raises `BuildStepFailed` for names that are not safe, `QuotaExceeded` beyond a
        limit.
        """
        self._entries += 1
        most = 2 * self.limits.max_files
        if self._entries > most:
            raise QuotaExceeded(f"the archive has more than {most} entries")
        path = self.root / os.fsdecode(self._path(entry.name))
        if entry.left_out:
            self._leave_out(entry)
            return
        try:
            if entry.content is None:
                path.mkdir(parents=True, exist_ok=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._write_file(path, entry.content)
        except OSError as error:
            raise _unwritable(entry.name, error) from error

    def top(self) -> Path:
        """Return the folder that holds the source.

        Archives of repositories have all they hold in one folder, named for the
        commit; it counts as the root. A lone ``docs`` does not: it is what the root of a source has.
        """
        found = list(self.root.iterdir())
        if len(found) == 1 and found[0].is_dir() and found[0].name != "docs":
            return found[0]
        return self.root

    def _path(self, name: bytes) -> bytes:
        if not self.are_names_checked:
            return name
        parts = [part for part in name.split(b"/") if part not in (b"", b".")]
        if why := _why_unsafe(name, parts):
            raise refused(f"the archive is not safe: {readable(name[:MAX_PATH_BYTES])!r} {why}")
        return b"/".join(parts)

    def _write_file(self, path: Path, content: Iterator[bytes]) -> None:
        descriptor = os.open(path, _WRITE, 0o600)
        with closing(os.fdopen(descriptor, "wb")) as file:
            for chunk in content:
                self._bytes += len(chunk)
                if self._bytes > self.limits.max_bytes:
                    raise QuotaExceeded(f"the archive holds more than {self.limits.max_bytes} bytes")
                file.write(chunk)

    def _leave_out(self, entry: ArchiveEntry) -> None:
        if len(self.warnings) < _MAX_WARNINGS:
            self.warnings.append(f"{readable(entry.name)} was left out: it is {entry.left_out}")


def _why_unsafe(name: bytes, parts: list[bytes]) -> str:
    if name.startswith(b"/"):
        return "is an absolute path"
    if b".." in parts:
        return "leads out of its folder"
    # A backslash and a drive's colon separate folders for some readers and not for others.
    if b"\\" in name or name[1:2] == b":":
        return "is written for another system"
    if any(byte < 32 or byte == 127 for byte in name):
        return "holds control characters"
    if len(name) > MAX_PATH_BYTES or any(len(part) > _MAX_NAME_BYTES for part in parts):
        return "is too long"
    if len(parts) > MAX_DEPTH:
        return f"is nested deeper than {MAX_DEPTH} levels"
    return ""


def _unwritable(name: bytes, error: OSError) -> BuildStepFailed:
    if isinstance(error, FileExistsError | NotADirectoryError | IsADirectoryError):
        return refused(f"the archive is broken: {readable(name)} is a file and a folder")
    return BuildStepFailed(f"the server cannot write what the archive holds: {error.strerror}")
