"""Walking a folder of documentation: what belongs to it and how large it may be.

A tree is its regular files. Left out are ``.git`` (of any type: it is history,
and as a file it names a path of this machine), ``__pycache__`` (Python writes it
whenever a hook beside the docs is imported), the folders the caller excludes, and, each with a warning, links, special files, and folders that say themselves
that they can be made again: Python environments (a file pyvenv.cfg) and caches
(a file CACHEDIR.TAG, https://bford.info/cachedir/). Nothing else is left out for
its name alone: docs may need any file, so ``node_modules`` counts like the rest.
Folders without files are not part of a tree.

Everything is opened relative to its folder's descriptor and without following
links, so that a link put in the way while we read leads nowhere.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Collection, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from techdocs_server.adapters.sources.known_files import KnownFiles
from techdocs_server.domain.errors import BuildStepFailed, QuotaExceeded

MAX_DEPTH = 64
MAX_PATH_BYTES = 1024
_MAX_WARNINGS = 100
_IGNORED = frozenset({b".git", b"__pycache__"})
_ENVIRONMENT_MARK = b"pyvenv.cfg"
_CACHE_MARK = b"CACHEDIR.TAG"
_CACHE_SIGNATURE = b"Signature: 8a477f597d28d172789f06886806bc55"
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: a named pipe put in the place of a file must not make the open wait.
_OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Stopped(Exception):
    """The caller asked to stop reading."""


@dataclass(frozen=True, slots=True)
class TreeLimits:
    """How much a tree may hold. ``max_files`` bounds files and, separately, folders."""

    max_bytes: int
    max_files: int


@dataclass(frozen=True, slots=True)
class TreeFile:
    """A regular file; ``path`` is relative, with slashes, in the file system's own bytes.

    It is open for reading, unless ``digest``, its SHA-256, is known; then the descriptor is -1.
    """

    path: bytes
    status: os.stat_result
    descriptor: int = -1
    digest: bytes | None = None


@dataclass(slots=True)
class TreeWalk:
    """One walk over a tree, and what it found to warn of.

    ``excluded`` are (device, inode) of folders that are not part of it;
    ``is_stopped`` is asked before each file. Files that are ``known`` are not opened.
    """

    limits: TreeLimits
    excluded: Collection[tuple[int, int]]
    is_stopped: Callable[[], bool]
    known: KnownFiles | None = None
    warnings: list[str] = field(default_factory=list)
    _files: int = 0
    _folders: int = 0
    _omitted: int = 0

    def files(self, root: int) -> Generator[TreeFile, None, None]:
        """Yield every file below an open folder; each is closed when the next one is asked for.

        Raises `BuildStepFailed` when something cannot be read, `QuotaExceeded`
        beyond a limit, and `Stopped`.
        """
        yield from self._files_below(root, b"", depth=0)
        if self._omitted > _MAX_WARNINGS:
            self.warnings.append(f"{self._omitted - _MAX_WARNINGS} more things were left out")

    def _files_below(self, folder: int, prefix: bytes, *, depth: int) -> Iterator[TreeFile]:
        listing = self._listing(folder, prefix)
        # The source itself is what somebody asked for, whatever it says it is.
        if depth > 0 and (what := self._made_again(folder, listing, prefix)):
            self._omit(prefix.rstrip(b"/"), what)
            return
        for name, mode in listing:
            path = prefix + name
            if len(path) > MAX_PATH_BYTES:
                raise QuotaExceeded(f"the path {readable(path)} is longer than {MAX_PATH_BYTES} bytes")
            if stat.S_ISDIR(mode):
                yield from self._files_of_folder(folder, name, path, depth=depth + 1)
            elif stat.S_ISREG(mode):
                yield from self._file(folder, name, path)
            else:
                self._omit(path, _what(mode))

    def _files_of_folder(self, parent: int, name: bytes, path: bytes, *, depth: int) -> Iterator[TreeFile]:
        if depth > MAX_DEPTH:
            raise QuotaExceeded(f"the folder {readable(path)} is nested deeper than {MAX_DEPTH} levels")
        descriptor = self._open(name, _OPEN_FOLDER, parent, path)
        if descriptor is None:
            return
        try:
            if not self._is_excluded(descriptor):
                self._folders = self._counted(self._folders, "folders", path)
                yield from self._files_below(descriptor, path + b"/", depth=depth)
        finally:
            os.close(descriptor)

    def _file(self, parent: int, name: bytes, path: bytes) -> Iterator[TreeFile]:
        if self.is_stopped():
            raise Stopped
        if (known := self._known(parent, name, path)) is not None:
            self._files = self._counted(self._files, "files", path)
            yield known
            return
        descriptor = self._open(name, _OPEN_FILE, parent, path)
        if descriptor is None:
            return
        try:
            status = os.fstat(descriptor)
            if stat.S_ISREG(status.st_mode):
                self._files = self._counted(self._files, "files", path)
                yield TreeFile(path, status, descriptor)
            else:
                self._omit(path, _what(status.st_mode))
        finally:
            os.close(descriptor)

    def _known(self, parent: int, name: bytes, path: bytes) -> TreeFile | None:
        if self.known is None:
            return None
        try:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except OSError:
            return None  # opening it will tell
        digest = self.known.digest(path, status) if stat.S_ISREG(status.st_mode) else None
        return None if digest is None else TreeFile(path, status, digest=digest)

    def _listing(self, folder: int, prefix: bytes) -> list[tuple[bytes, int]]:
        """Return (name, type as in st_mode) of a folder's entries, sorted; no more are read than the limits allow."""
        found: list[tuple[bytes, int]] = []
        # Files and folders have a limit each, and what is left out is bounded with them.
        most = 2 * self.limits.max_files
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if len(found) >= most:
                        raise QuotaExceeded(f"the folder {readable(prefix)} has more than {most} entries")
                    found.append((os.fsencode(entry.name), _type(entry)))
        except OSError as error:
            raise unreadable(prefix or b".", error) from error
        return sorted((name, mode) for name, mode in found if name not in _IGNORED)

    def _open(self, name: bytes, flags: int, parent: int, path: bytes) -> int | None:
        """Return a descriptor, or None when the entry went away or became something else since it was listed."""
        try:
            return os.open(name, flags, dir_fd=parent)
        except OSError as error:
            if error.errno == errno.ENOENT:
                return None
            # ELOOP: a link; ENOTDIR: no longer a folder; ENXIO: a socket.
            if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENXIO):
                self._omit(path, _what(stat.S_IFLNK if error.errno == errno.ELOOP else 0))
                return None
            raise unreadable(path, error) from error

    def _counted(self, count: int, what: str, path: bytes) -> int:
        if count >= self.limits.max_files:
            raise QuotaExceeded(
                f"the source has more than {self.limits.max_files} {what}: {readable(path)} is one more"
            )
        return count + 1

    def _is_excluded(self, folder: int) -> bool:
        status = os.fstat(folder)
        return (status.st_dev, status.st_ino) in self.excluded

    def _made_again(self, folder: int, listing: list[tuple[bytes, int]], prefix: bytes) -> str:
        """Say what makes a folder one to leave out, or return an empty text."""
        files = {name for name, mode in listing if stat.S_ISREG(mode)}
        if _ENVIRONMENT_MARK in files:
            return "a Python environment"
        if _CACHE_MARK in files and self._has_cache_signature(folder, prefix + _CACHE_MARK):
            return "a cache"
        return ""

    def _has_cache_signature(self, folder: int, path: bytes) -> bool:
        descriptor = self._open(_CACHE_MARK, _OPEN_FILE, folder, path)
        if descriptor is None:
            return False
        try:
            return os.read(descriptor, len(_CACHE_SIGNATURE)) == _CACHE_SIGNATURE
        except OSError as error:
            raise unreadable(path, error) from error
        finally:
            os.close(descriptor)

    def _omit(self, path: bytes, what: str) -> None:
        self._omitted += 1
        if self._omitted <= _MAX_WARNINGS:
            self.warnings.append(f"{readable(path)} was left out: it is {what}")


def open_root(location: Path, *, display: str) -> int:
    """Return a descriptor of a source's folder. Raises `BuildStepFailed`."""
    try:
        return os.open(location, _OPEN_FOLDER)
    except FileNotFoundError as error:
        raise BuildStepFailed(f"the documentation folder {display} does not exist") from error
    except PermissionError as error:
        raise BuildStepFailed(f"the documentation folder {display} may not be read") from error
    except OSError as error:
        raise BuildStepFailed(f"the documentation folder {display} is not a folder") from error


def unreadable(path: bytes, error: OSError) -> BuildStepFailed:
    """Return the failure to raise for a file or folder of a tree that cannot be read."""
    if isinstance(error, PermissionError):
        return BuildStepFailed(f"{readable(path)} may not be read: give the server's user permission to read it")
    return BuildStepFailed(f"{readable(path)} cannot be read: {error.strerror}")


def readable(path: bytes) -> str:
    """Return a path for people: broken and control characters are escaped."""
    text = path.decode("utf-8", "backslashreplace")
    return "".join(character if character.isprintable() else f"\\x{ord(character):02x}" for character in text)


def _type(entry: os.DirEntry[str]) -> int:
    if entry.is_symlink():
        return stat.S_IFLNK
    if entry.is_dir(follow_symlinks=False):
        return stat.S_IFDIR
    return stat.S_IFREG if entry.is_file(follow_symlinks=False) else 0


def _what(mode: int) -> str:
    return "a link" if stat.S_ISLNK(mode) else "neither a file nor a folder"
