"""Immutable content by digest."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol

from techdocs_server.domain.digest import Digest

OpenFile = Callable[[], BinaryIO]
"""Opens a local file at its first byte. Blocks; whoever calls it closes the file."""


class BlobStore(Protocol):
    """Keeps bytes under their SHA-256. Safe for any number of callers at once.

    Only these errors leave an implementation: `BlobMissing`, `DigestMismatch`,
    and `StorageUnavailable` for everything the store itself does wrong (denied,
    slow, broken, full). Missing is never reported for broken.
    """

    async def put(self, digest: Digest, content: AsyncIterable[bytes]) -> None:
        """Store bytes. Idempotent: a digest already stored is a success and may skip reading content.

        After success the bytes survive a crash of this machine. After any
        failure the digest is either wholly stored or not stored: a reader never
        sees part of it. Two concurrent puts of one digest both succeed.

        Raises `DigestMismatch` when content is not what the digest says.
        """
        ...

    async def put_files(self, files: Mapping[Digest, OpenFile]) -> None:
        """Store the bytes of local files, as `put` does for each and for far less work.

        Files are opened in threads, and only those that are not stored. What opening
        and reading raise comes out as it is. After a failure some may be stored.
        """
        ...

    def get(self, digest: Digest, *, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Yield the bytes from offset, at most length of them, in chunks of at most 256 KiB.

        ``0 <= offset <= digest.size_bytes``; an empty range yields nothing. The
        first step of the iterator raises `BlobMissing`. Closing the iterator
        early releases what it holds.
        """
        ...

    async def missing(self, digests: Collection[Digest]) -> frozenset[Digest]:
        """Return those of the digests that are not stored."""
        ...


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A blob as a listing of the store shows it.

    The size is that of what is stored, which differs from the digest's where it is
    damaged. ``write_time`` is by the clock of the store; storing what is stored
    already need not renew it.
    """

    sha256: str
    size_bytes: int
    write_time: datetime


class BlobSweeping(Protocol):
    """What removes blobs from a store. Raises `StorageUnavailable` and nothing else.

    It asks nobody whether a blob is needed: that is for whoever calls it to know.
    """

    def stored(self) -> AsyncIterator[StoredBlob]:
        """Yield every blob, in no order. Those put or deleted meanwhile may be among them or not.

        What lies in the store and is no blob is left out. Holds a bounded number of them in memory.
        """
        ...

    async def delete(self, sha256s: Collection[str]) -> None:
        """Delete blobs; those that are not there count as deleted. After a failure some may be left.

        A reader in the middle of one gets the rest of it or an error, never other bytes.
        """
        ...


class SweepableBlobStore(BlobStore, BlobSweeping, Protocol):
    """A store together with what removes blobs from it."""
