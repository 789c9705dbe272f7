"""Bytes going into and out of blob stores."""

from __future__ import annotations

from collections.abc import AsyncIterator

from techdocs_server.domain.digest import Digest
from techdocs_server.ports.blobs import BlobStore


async def streamed(content: bytes, *, chunk_bytes: int = 64 * 1024) -> AsyncIterator[bytes]:
    """Yield content in chunks, as an upload does."""
    for start in range(0, len(content), chunk_bytes):
        yield content[start : start + chunk_bytes]


async def stored(store: BlobStore, content: bytes) -> Digest:
    """Put content and return its digest."""
    digest = Digest.of(content)
    await store.put(digest, streamed(content))
    return digest


async def read(store: BlobStore, digest: Digest, *, offset: int = 0, length: int | None = None) -> bytes:
    """Return all bytes of a range."""
    return b"".join([chunk async for chunk in store.get(digest, offset=offset, length=length)])
