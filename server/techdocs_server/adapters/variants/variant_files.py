"""The files of a variant store.

::

    <root>/br/ab/cdef...    a header, then the brotli bytes of the blob whose SHA-256 is abcdef...
    <root>/gzip/ab/...      the same with gzip
    <root>/tmp/             files being written, see write_aside

The header has the SHA-256 and the size of the bytes behind it. Nobody else could tell
whether they are right: the name of the file is the digest of what they decode to. A
header without bytes says that they were not worth keeping.

A put writes aside, syncs the file, and renames it into place. The folder is not
synced: a rename that a crash undoes costs a variant, which is made again. For the
same reason a file found damaged is removed on the spot.

Everything here blocks. Safe on any number of threads, and for several processes.
"""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from techdocs_server.adapters.blobs.os_problems import reporting_os_errors
from techdocs_server.adapters.blobs.write_aside import WriteAsideFolder
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.encoding import MOST_BYTES, ContentEncoding
from techdocs_server.ports.variants import Decision, Variant

_log = logging.getLogger(__name__)

_MAGIC = b"TDV1"
_HEADER = struct.Struct(">4s32sQ")


class _Damaged(Exception):
    """A file is not what its header says."""


class VariantFiles:
    """Variant files below one folder, which is made when it is not there.

    Every method raises `StorageUnavailable` for what the operating system refuses.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        with reporting_os_errors():
            self._write_aside = WriteAsideFolder(root / "tmp")

    def close(self) -> None:
        """Remove the temporary folder of this process. Nothing may be in flight."""
        self._write_aside.close()

    def put(self, identity: Digest, encoding: ContentEncoding, content: bytes | None) -> None:
        """Store a variant, or that there is none worth keeping."""
        kept = content or b""
        digest = Digest.of(kept)
        header = _HEADER.pack(_MAGIC, bytes.fromhex(digest.sha256), digest.size_bytes)
        aside = self._write_aside.new_path()
        with reporting_os_errors():
            try:
                with aside.open("xb") as file:
                    file.write(header)
                    file.write(kept)
                    file.flush()
                    os.fsync(file.fileno())
                _move(aside, self._path(identity, encoding))
            finally:
                aside.unlink(missing_ok=True)

    def locate(self, identity: Digest, encoding: ContentEncoding) -> Decision | None:
        """Return what the header says."""
        variant = self._read(identity, encoding, whole=False)
        return None if variant is None else Decision(variant.digest if variant.digest.size_bytes else None)

    def get(self, identity: Digest, encoding: ContentEncoding) -> Variant | None:
        """Return a variant whose bytes are those its header names."""
        variant = self._read(identity, encoding, whole=True)
        return variant if variant is not None and variant.content else None

    def missing(self, identities: Collection[Digest]) -> frozenset[Digest]:
        """Return the blobs that lack a file of an encoding."""
        with reporting_os_errors():
            return frozenset(
                identity
                for identity in identities
                if not all(self._path(identity, encoding).exists() for encoding in ContentEncoding)
            )

    def delete(self, sha256s: Collection[str]) -> None:
        """Remove the files of blobs. Not synced: what a crash brings back is a variant like any other."""
        with reporting_os_errors():
            for sha256 in sha256s:
                for encoding in ContentEncoding:
                    self._file(sha256, encoding).unlink(missing_ok=True)

    def _read(self, identity: Digest, encoding: ContentEncoding, *, whole: bool) -> Variant | None:
        path = self._path(identity, encoding)
        with reporting_os_errors():
            try:
                with path.open("rb", buffering=0) as file:
                    return _parsed(file, whole=whole)
            except FileNotFoundError:
                return None
            except _Damaged:
                _log.warning("variant_damaged", extra={"identity": identity.sha256, "encoding": str(encoding)})
        # Where it cannot be removed it stays, and is found damaged again.
        with suppress(OSError):
            path.unlink()
        return None

    def _path(self, identity: Digest, encoding: ContentEncoding) -> Path:
        return self._file(identity.sha256, encoding)

    def _file(self, sha256: str, encoding: ContentEncoding) -> Path:
        return self._root / encoding.value / sha256[:2] / sha256[2:]


def _parsed(file: BinaryIO, *, whole: bool) -> Variant:
    header = file.read(_HEADER.size)
    if len(header) != _HEADER.size:
        raise _Damaged
    magic, sha256, size = _HEADER.unpack(header)
    # The bound is for a damaged size: no variant is larger than what it was made of.
    if magic != _MAGIC or size > MOST_BYTES or os.fstat(file.fileno()).st_size != _HEADER.size + size:
        raise _Damaged
    digest = Digest(sha256.hex(), size)
    content = file.read(size) if whole else b""
    if whole and Digest.of(content) != digest:
        raise _Damaged
    return Variant(digest, content)


def _move(aside: Path, path: Path) -> None:
    try:
        aside.rename(path)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.rename(path)
