"""The files of a blob store, and the order of the steps that make a put safe.

::

    <root>/ab/cdef...     the blob whose SHA-256 is abcdef...
    <root>/tmp/           files being written, see write_aside

A put writes aside and hashes, syncs the file, renames it into place, and syncs
the folder. Before the rename nobody sees it; between the rename and the sync of
the folder everybody does, but a crash may still undo it. Digests in that state,
and those found damaged, are *doubtful*: readers may have them, but they count as
missing, and a put writes them anew. Only a sweep deletes, and never a folder: no
put has to make one.

Everything here blocks. Safe on any number of threads. Several processes may share
a root; what is doubtful in one is not known to the others, so a power loss within
the milliseconds between rename and sync can cost another process a blob that it
found stored.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from techdocs_server.adapters.blobs.blob_reader import BlobReader
from techdocs_server.adapters.blobs.new_blob import NewBlob
from techdocs_server.adapters.blobs.os_problems import reporting_os_errors, storage_problem
from techdocs_server.adapters.blobs.write_aside import WriteAsideFolder
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.errors import BlobMissing, DigestMismatch, StorageUnavailable
from techdocs_server.ports.blobs import StoredBlob

_REST = re.compile(r"[0-9a-f]{62}")
SHARDS = tuple(f"{number:02x}" for number in range(256))


class BlobFiles:
    """Blob files below one folder, which is made when it is not there.

    Every method raises `StorageUnavailable` for what the operating system refuses.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        # One entry for each blob at most. Threads share it without a lock: adding,
        # discarding and asking are atomic, and nothing here needs two of them to be one.
        self._doubtful: set[str] = set()
        with reporting_os_errors():
            _make_root(root)
            self._write_aside = WriteAsideFolder(root / "tmp")
            if self._write_aside.found_leftovers:
                # Whoever died may have renamed a blob and not synced its folder.
                self.sync(SHARDS)

    def close(self) -> None:
        """Remove the temporary folder of this process. Nothing may be in flight."""
        self._write_aside.close()

    def missing(self, digests: Collection[Digest]) -> frozenset[Digest]:
        """Return the digests of which there is no trusted file of the right size."""
        missing = frozenset(digest for digest in digests if not self.is_stored(digest))
        if missing:
            self._check_root()
        return missing

    def read(self, digest: Digest) -> bytes:
        """Return a whole blob, verified. Raises `BlobMissing` and `DigestMismatch`."""
        descriptor = self._open(digest)
        with os.fdopen(descriptor, "rb", buffering=0) as file, reporting_os_errors():
            # One byte more than there should be, to notice a file that is too long.
            content = file.read(digest.size_bytes + 1)
        if Digest.of(content) != digest:
            self.doubt(digest)
            raise DigestMismatch(digest.sha256)
        return content

    def reader(self, digest: Digest, start: int, end: int) -> BlobReader:
        """Return a reader of a range; its first step raises `BlobMissing` and `DigestMismatch`. Does not block."""
        return BlobReader(partial(self._open, digest), digest, start, end)

    def new(self, digest: Digest) -> NewBlob:
        """Return a blob to be written. Does not block."""
        return NewBlob(digest, self._write_aside.new_path())

    def doubt(self, digest: Digest) -> None:
        """Note that a blob is damaged, so that the next put writes it anew."""
        self._doubtful.add(digest.sha256)

    def is_stored(self, digest: Digest) -> bool:
        """Say whether there is a trusted file of the right size."""
        try:
            found = self._path(digest).stat()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise storage_problem(error) from error
        # In this order: what is renamed after the stat was doubtful before it.
        return found.st_size == digest.size_bytes and digest.sha256 not in self._doubtful

    def store(self, digest: Digest, content: bytes) -> bool:
        """Put a whole blob but for the sync of its folder; say whether there was anything to do.

        Raises `DigestMismatch`, and then nothing is stored.
        """
        if self.is_stored(digest):
            return False
        new = self.new(digest)
        try:
            new.write(content)
            self.finish(new)
        finally:
            new.discard()
        return True

    def finish(self, new: NewBlob) -> None:
        """Move what was written into place. `sync` its folder, then call `trust`.

        Raises `DigestMismatch`, and then nothing is stored.
        """
        new.seal()
        self.place(new)

    def place(self, new: NewBlob) -> None:
        """Move what was sealed into place, as `finish` does."""
        # Before the rename, so that nobody finds the file and takes it for safe.
        self._doubtful.add(new.digest.sha256)
        with reporting_os_errors():
            new.path.rename(self._path(new.digest))

    def sync(self, shards: Collection[str]) -> None:
        """Make what was renamed into these folders survive a crash."""
        with reporting_os_errors():
            for shard in shards:
                sync_folder(self._root / shard)

    def trust(self, digest: Digest) -> None:
        """Note that a put is complete."""
        self._doubtful.discard(digest.sha256)

    def listed(self, shard: str) -> Sequence[StoredBlob]:
        """Return the blobs of one folder. What has another name than a blob is left out."""
        self._check_root()
        with reporting_os_errors(), os.scandir(self._root / shard) as entries:
            return [found for entry in entries if (found := _stored_blob(shard, entry)) is not None]

    def delete(self, sha256s: Collection[str]) -> None:
        """Remove the files of blobs, for good: the folders are synced."""
        self._check_root()
        with reporting_os_errors():
            # Doubts stay: a put of the same bytes may be between its rename and its sync.
            for sha256 in sha256s:
                (self._root / sha256[:2] / sha256[2:]).unlink(missing_ok=True)
        self.sync({sha256[:2] for sha256 in sha256s})

    def _path(self, digest: Digest) -> Path:
        return self._root / shard_of(digest) / digest.sha256[2:]

    def _open(self, digest: Digest) -> int:
        try:
            return os.open(self._path(digest), os.O_RDONLY)
        except FileNotFoundError as error:
            self._check_root()
            raise BlobMissing(digest.sha256) from error
        except OSError as error:
            raise storage_problem(error) from error

    def _check_root(self) -> None:
        """Raise `StorageUnavailable` when everything is missing: a disk that is not mounted."""
        with reporting_os_errors():
            exists = self._write_aside.exists
        if not exists:
            raise StorageUnavailable("a folder of the store is gone")


def shard_of(digest: Digest) -> str:
    """Return the name of the folder that holds a blob."""
    return digest.sha256[:2]


def _stored_blob(shard: str, entry: os.DirEntry[str]) -> StoredBlob | None:
    if not _REST.fullmatch(entry.name):
        return None
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    return StoredBlob(f"{shard}{entry.name}", status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))


def _make_root(root: Path) -> None:
    """Make the folders, all of them now, so that no put ever has to."""
    made = [folder for folder in (root, *root.parents) if not folder.exists()]
    for shard in SHARDS:
        (root / shard).mkdir(parents=True, exist_ok=True)
    for folder in (root, *(folder.parent for folder in made)):
        sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Make what was made or renamed in a folder survive a crash."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
