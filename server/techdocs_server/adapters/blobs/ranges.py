"""Which bytes of a blob a reader asked for, and how they are handed over."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterator

from techdocs_server.domain.digest import Digest
from techdocs_server.domain.errors import DigestMismatch

CHUNK_BYTES = 256 * 1024
"""Most bytes a store yields at once."""


def byte_range(digest: Digest, offset: int, length: int | None) -> tuple[int, int]:
    """Return the first byte and the one after the last.

    Raises `ValueError` for an offset outside the blob or a negative length: the
    caller should have asked the digest.
    """
    return range_of(digest.size_bytes, offset, length)


def range_of(size: int, offset: int, length: int | None) -> tuple[int, int]:
    """Return the first byte and the one after the last of ``size`` bytes. Raises `ValueError` as `byte_range` does."""
    if not 0 <= offset <= size:
        raise ValueError(f"offset {offset} is outside of {size} bytes")
    if length is None:
        return offset, size
    if length < 0:
        raise ValueError(f"length {length} is negative")
    return offset, min(offset + length, size)


def chunks_of(content: bytes, start: int, end: int) -> Iterator[bytes]:
    """Yield content[start:end] in chunks."""
    for position in range(start, end, CHUNK_BYTES):
        yield content[position : min(position + CHUNK_BYTES, end)]


async def gathered(digest: Digest, content: AsyncIterable[bytes]) -> bytes:
    """Return the whole content, never holding more than a chunk over the digest's size.

    Content of one chunk is that chunk, and is not copied. Raises `DigestMismatch`
    when the content is longer; a shorter one is the caller's to notice.
    """
    parts, size = [], 0
    async for part in content:
        size += len(part)
        if size > digest.size_bytes:
            raise DigestMismatch(digest.sha256)
        parts.append(part)
    return b"".join(parts)
