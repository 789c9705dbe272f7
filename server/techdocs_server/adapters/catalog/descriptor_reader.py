"""Reading descriptor files from disk, each again only after it changed."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from techdocs_server.adapters.catalog.descriptors import CatalogProblem, DescriptorFile, parse_descriptors

MAX_FILE_BYTES = 1024 * 1024
# A file changed twice within a tick of the file system's clock looks the same after both.
_SETTLED_NANOSECONDS = 2 * 10**9


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file's content. ``text`` is None when it could not be had."""

    content: DescriptorFile
    text: str | None


@dataclass(frozen=True, slots=True)
class _Remembered:
    signature: tuple[int, int, int, int]
    file: ReadFile


class DescriptorReader:
    """Reads files and remembers what they hold. Not safe for concurrent use."""

    def __init__(self) -> None:
        self._remembered: dict[str, _Remembered] = {}

    def read(self, path: Path, *, file: str) -> ReadFile:
        """Return what a file holds; what cannot be read is a problem of it. ``file`` is its name in the catalog.

        Raises `FileNotFoundError`.
        """
        try:
            # O_NONBLOCK: a named pipe must not make the open wait.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            raise
        except OSError as error:
            return _unreadable(file, f"cannot be read: {error.strerror}")
        try:
            return self._read(descriptor, file)
        except OSError as error:
            return _unreadable(file, f"cannot be read: {error.strerror}")
        finally:
            os.close(descriptor)

    def forget_others(self, files: Collection[str]) -> None:
        """Remember these files only."""
        self._remembered = {file: known for file, known in self._remembered.items() if file in files}

    def _read(self, descriptor: int, file: str) -> ReadFile:
        status = os.fstat(descriptor)
        signature = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        known = self._remembered.pop(file, None)
        if known is None or known.signature != signature:
            known = _Remembered(signature, _parse(descriptor, status, file))
        if time.time_ns() - status.st_mtime_ns > _SETTLED_NANOSECONDS:
            self._remembered[file] = known
        return known.file


def _parse(descriptor: int, status: os.stat_result, file: str) -> ReadFile:
    if not stat.S_ISREG(status.st_mode):
        return _unreadable(file, "is not a file")
    with os.fdopen(os.dup(descriptor), "rb") as stream:
        content = stream.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        return _unreadable(file, f"is larger than {MAX_FILE_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return _unreadable(file, "is not UTF-8", line=line)
    return ReadFile(parse_descriptors(text, file=file), text)


def _unreadable(file: str, message: str, *, line: int = 0) -> ReadFile:
    problem = CatalogProblem(file, line, message, hides_entities=True)
    return ReadFile(DescriptorFile(problems=(problem,)), None)
