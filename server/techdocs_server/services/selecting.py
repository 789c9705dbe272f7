"""Which representation of a file answers a request, and whether the caller holds it already.

A file has itself and, where they are made, its variants: representations with tags of their own (RFC 9110, section
8.8.3.3). Those that a caller takes are all fit to be sent, so one that it holds is the right one to name: a tag of the
file itself is good for a caller who would get a variant by now, and none that the caller cannot take ever is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from techdocs_server.domain.digest import Digest
from techdocs_server.domain.encoding import ContentEncoding
from techdocs_server.domain.errors import RangeNotSatisfiable
from techdocs_server.services.reading import AnyContent, AnyView, LocatedVariant, SiteReader

MOST_VARIANT_BYTES = 8 * 1024 * 1024
"""A variant is held whole while it is sent, by a slow reader too; what would be larger is streamed as it is."""
CHUNK_BYTES = 256 * 1024
"""Bytes of a variant that are sent at once, as of any content."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller asks of a file, besides which one."""

    held: Sequence[str] = ()
    """Entity tags it holds, each with its quotes, or ``*``."""
    accepted: Sequence[ContentEncoding] = ()
    """Codings it takes beside the file itself, the best one first. They do not count for parts."""
    offset: int = 0
    """First byte; negative counts from the end."""
    limit: int = 0
    """Most bytes; 0 means all to the end."""

    @property
    def is_whole(self) -> bool:
        """Whether all of the file is asked for."""
        return self.offset == 0 and self.limit == 0


@dataclass(frozen=True, slots=True)
class Selected:
    """One representation of a file, and the part of it to send."""

    view: AnyView
    content: AnyContent
    variant: LocatedVariant | None
    not_modified: bool
    offset: int
    length: int

    @property
    def size_bytes(self) -> int:
        """Size of the whole representation."""
        return self.content.size_bytes if self.variant is None else self.variant.digest.size_bytes

    @property
    def is_part(self) -> bool:
        """Whether less than all of it is to be sent."""
        return self.length < self.size_bytes


async def select(reader: SiteReader, view: AnyView, content: AnyContent, wanted: Wanted) -> Selected:
    """Select the representation and the part that answer. Raises `RangeNotSatisfiable`, not for what the caller holds."""
    if "*" not in wanted.held and holds(wanted.held, content.etag):
        return _whole(view, content, None, not_modified=True)
    if wanted.is_whole:
        variant, is_held = await _variant(reader, content, wanted)
        return _whole(view, content, variant, not_modified=is_held or "*" in wanted.held)
    if "*" in wanted.held:
        return _whole(view, content, None, not_modified=True)
    offset, length = byte_range(content.size_bytes, offset=wanted.offset, limit=wanted.limit)
    return Selected(view, content, None, not_modified=False, offset=offset, length=length)


async def read(reader: SiteReader, selected: Selected) -> tuple[Selected, AsyncIterator[bytes]]:
    """Return the bytes of what was selected; of the file itself, and that as selected, when its variant is lost."""
    if selected.variant is not None:
        encoded = await reader.read_variant(selected.variant)
        if encoded is not None:
            return selected, _chunks(encoded)
        selected = _whole(selected.view, selected.content, None, not_modified=False)
    chunks = reader.read(selected.view, selected.content, offset=selected.offset, length=selected.length)
    return selected, chunks


def holds(tags: Sequence[str], etag: str) -> bool:
    """Whether one of the entity tags is the current one, by weak comparison (RFC 9110, section 13.1.2)."""
    return any(tag == "*" or tag.removeprefix("W/") == etag for tag in tags)


def byte_range(size: int, *, offset: int, limit: int) -> tuple[int, int]:
    """Return the first byte and the number of bytes that a request means.

    A negative offset counts from the end and reaches at most to the start; limit
    0 means all to the end. Raises `RangeNotSatisfiable` for an offset past the
    end of a content, or at the end of one that has bytes.
    """
    if offset < 0:
        offset = max(0, size + offset)
    elif offset > size or (offset == size and size > 0):
        raise RangeNotSatisfiable(size)
    rest = size - offset
    return offset, min(limit, rest) if limit else rest


async def _variant(reader: SiteReader, content: AnyContent, wanted: Wanted) -> tuple[LocatedVariant | None, bool]:
    """Return a variant that the caller holds and True, else the best one there is, or None."""
    best: LocatedVariant | None = None
    for encoding in wanted.accepted:
        variant = await reader.locate_variant(content, encoding)
        if variant is None or variant.digest.size_bytes > MOST_VARIANT_BYTES:
            continue
        if "*" not in wanted.held and holds(wanted.held, variant.etag):
            return variant, True
        best = best or variant
        if not wanted.held or "*" in wanted.held:
            break
    return best, False


def _whole(view: AnyView, content: AnyContent, variant: LocatedVariant | None, *, not_modified: bool) -> Selected:
    digest: Digest | AnyContent = content if variant is None else variant.digest
    return Selected(view, content, variant, not_modified, offset=0, length=digest.size_bytes)


async def _chunks(encoded: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(encoded), CHUNK_BYTES):
        yield encoded[start : start + CHUNK_BYTES]
