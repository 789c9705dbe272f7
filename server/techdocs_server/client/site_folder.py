"""A built site on this machine: which files it has, and their bytes."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from techdocs_server.client.failures import ClientFailed, ExitStatus
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.site_path import INDEX, path_problem

_MOST_OPEN = 64
_READ_ONLY = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True)
class SiteFolder:
    """The regular files below a folder, as they were when it was read. ``skipped`` counts links and special files."""

    root: Path
    files: Mapping[str, Digest]
    skipped: int

    @cached_property
    def path_of(self) -> Mapping[Digest, str]:
        """One path of each content."""
        return {digest: path for path, digest in sorted(self.files.items(), reverse=True)}

    @property
    def size_bytes(self) -> int:
        """Sum of the sizes of all files."""
        return sum(digest.size_bytes for digest in self.files.values())

    def chunks(self, digest: Digest, *, most_bytes: int) -> Iterator[bytes]:
        """Yield a content in chunks, an empty one as one empty chunk.

        Raises `ClientFailed` when the file cannot be read, or is shorter than it was.
        Other bytes are the receiver's to notice.
        """
        path, left = self.path_of[digest], digest.size_bytes
        try:
            with open(os.open(self.root / path, _READ_ONLY), "rb", buffering=0) as file:  # noqa: PTH123 - a descriptor
                if not left:
                    yield b""
                while left:
                    chunk = file.read(min(left, most_bytes))
                    if not chunk:
                        raise has_changed(path)
                    left -= len(chunk)
                    yield chunk
        except OSError as error:
            raise _unreadable(path, error) from error


def has_changed(path: str) -> ClientFailed:
    """Return the failure of a file that is not what it was when the folder was read."""
    return ClientFailed(
        f"{path} changed while it was published; publish again when the build is done", ExitStatus.REFUSED
    )


def read_site(root: Path) -> SiteFolder:
    """Hash every regular file below a folder, several at a time, following no link below it.

    Raises `ClientFailed` when it is no folder, has no index.html, holds a name that
    no site can have, or cannot be read.
    """
    try:
        found = root.resolve(strict=True)
    except OSError as error:
        raise ClientFailed(f"--directory: {root}: {error.strerror}", ExitStatus.USAGE) from error
    if not found.is_dir():
        raise ClientFailed(f"--directory: {root}: Not a directory", ExitStatus.USAGE)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1), thread_name_prefix="hash") as threads:
        site = _read(found, threads)
    if INDEX not in site.files:
        raise ClientFailed(
            f"--directory: {root} has no {INDEX}; name the folder that mkdocs build has written", ExitStatus.USAGE
        )
    return site


def _read(root: Path, threads: ThreadPoolExecutor) -> SiteFolder:
    files: dict[str, Digest] = {}
    under_way: deque[tuple[str, Future[Digest]]] = deque()
    skipped = 0
    for path, descriptor in _walk(root):
        if descriptor is None:
            skipped += 1
            continue
        under_way.append((path, threads.submit(_digest, descriptor)))
        if len(under_way) >= _MOST_OPEN:
            _take(files, *under_way.popleft())
    for path, digest in under_way:
        _take(files, path, digest)
    return SiteFolder(root, files, skipped)


def _take(files: dict[str, Digest], path: str, digest: Future[Digest]) -> None:
    try:
        files[path] = digest.result()
    except OSError as error:
        raise _unreadable(path, error) from error


def _walk(root: Path) -> Iterator[tuple[str, int | None]]:
    """Yield each path with an open descriptor, or None for what is no regular file."""
    for folder, folders, names, descriptor in os.fwalk(root, follow_symlinks=False, onerror=_refuse):
        prefix = "" if Path(folder) == root else f"{Path(folder).relative_to(root).as_posix()}/"
        # What fwalk calls a folder may be a link to one, into which it does not go.
        links = [name for name in folders if stat.S_ISLNK(os.lstat(name, dir_fd=descriptor).st_mode)]
        for name in (*names, *links):
            path = prefix + name
            if not stat.S_ISREG(os.lstat(name, dir_fd=descriptor).st_mode):
                yield path, None
                continue
            if problem := path_problem(path):
                raise ClientFailed(f"--directory: the name {path!r} {problem}", ExitStatus.USAGE)
            try:
                opened = os.open(name, _READ_ONLY, dir_fd=descriptor)
            except OSError as error:
                raise _unreadable(path, error) from error
            yield path, opened


def _digest(descriptor: int) -> Digest:
    """Return the digest of an open file, and close it."""
    with open(descriptor, "rb", buffering=0) as file:
        hashed = hashlib.file_digest(file, "sha256")
        return Digest(hashed.hexdigest(), file.tell())


def _refuse(error: OSError) -> None:
    raise ClientFailed(f"--directory: {error.filename}: {error.strerror}", ExitStatus.USAGE) from error


def _unreadable(path: str, error: OSError) -> ClientFailed:
    return ClientFailed(f"--directory: {path}: {error.strerror}", ExitStatus.USAGE)
