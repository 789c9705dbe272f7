"""A place for bytes on their way from one store to another, whose digest is not known before the last of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from techdocs_server.domain.digest import Digest
from techdocs_server.ports.blobs import OpenFile


@dataclass(frozen=True, slots=True)
class Spooled:
    """Bytes that have arrived. ``discard`` frees their place; it may block shortly, and be called twice."""

    digest: Digest
    md5: str
    open: OpenFile
    discard: Callable[[], None]


class Spool(Protocol):
    """Takes streams. Safe for any number of callers at once; needs little memory whatever comes."""

    async def take(self, chunks: AsyncIterator[bytes]) -> Spooled:
        """Read a stream to its end.

        Raises what the stream does, and `StorageUnavailable` when the place is full or
        broken. After any failure nothing is left.
        """
        ...
