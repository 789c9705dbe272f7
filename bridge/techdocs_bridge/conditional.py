"""Conditions and ranges of a request, read as RFC 9110 says: sections 8.8.3, 13.1 and 14.

A header that breaks its grammar is as good as absent: these headers only ever save work.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ENTITY_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
# An int64 has at most 19 digits; 18 of them always fit.
_RANGE = re.compile(r"bytes\s*=\s*(?:(?P<first>\d{1,18})-(?P<last>\d{1,18})?|-(?P<suffix>\d{1,18}))\s*", re.IGNORECASE)


def entity_tags(header: str | None) -> tuple[str, ...]:
    """Return the tags of If-None-Match as strong ones: it compares weakly, so a ``W/`` says nothing. ``("*",)`` is any."""
    if header is None:
        return ()
    if header.strip() == "*":
        return ("*",)
    if _ENTITY_TAG.sub("", header).strip(", \t"):
        return ()
    return tuple(_ENTITY_TAG.findall(header))


def none_match_fails(header: str | None, etag: str) -> bool:
    """Return whether If-None-Match holds ``etag``, so that the client's copy is current."""
    held = entity_tags(header)
    return "*" in held or etag.removeprefix("W/") in held


@dataclass(frozen=True, slots=True)
class ByteRange:
    """One requested range, as the server counts: a negative offset is from the end, limit 0 is all there is."""

    offset: int
    limit: int


def byte_range(header: str | None) -> ByteRange | None:
    """Return the one range a Range header asks for.

    None stands for everything: no header, another unit, a broken one, several ranges at once (a server MAY answer those
    with the whole), or the last 0 bytes.
    """
    match = _RANGE.fullmatch(header) if header else None
    if match is None:
        return None
    if match["suffix"] is not None:
        suffix = int(match["suffix"])
        return ByteRange(-suffix, 0) if suffix else None
    first = int(match["first"])
    if match["last"] is None:
        return ByteRange(first, 0)
    last = int(match["last"])
    return ByteRange(first, last - first + 1) if last >= first else None
