"""Parts of a content that a request asks for (RFC 9110, section 14)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

MOST_PARTS = 16
"""Ranges in one request; more are answered with the whole (RFC 9110, section 14.2: many small ones are an attack)."""

_SET = re.compile(r"bytes\s*=(?P<set>.*)", re.IGNORECASE | re.ASCII | re.DOTALL)
_SPEC = re.compile(r"(?:(?P<first>\d+)-(?P<last>\d*)|-(?P<suffix>\d+))", re.ASCII)
# More digits than any size has.
_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of a content, at least one."""

    offset: int
    length: int

    def content_range(self, size: int) -> str:
        """Return what Content-Range says of it."""
        return f"bytes {self.offset}-{self.offset + self.length - 1}/{size}"


def requested_parts(header: str, size: int) -> Sequence[Part] | None:
    """Return the parts of a content of ``size`` bytes that a Range header asks for, in its order.

    None stands for everything, which a server may always send: another unit, a header that breaks the grammar, more
    than `MOST_PARTS` ranges, ranges that overlap, or a content without bytes. No part at all means that there are no
    such bytes: 416. Ranges that cannot be had beside others that can are left out.
    """
    match = _SET.fullmatch(header)
    if match is None or size == 0:
        return None
    specs = [spec for spec in (piece.strip(" \t") for piece in match["set"].split(",")) if spec]
    if not 1 <= len(specs) <= MOST_PARTS:
        return None
    parts: list[Part] = []
    for spec in specs:
        bounds = _bounds(spec, size)
        if bounds is None:
            return None
        first, end = bounds
        if first < end:
            parts.append(Part(first, end - first))
    return None if _overlap(parts) else parts


def _bounds(spec: str, size: int) -> tuple[int, int] | None:
    """Return the first byte and the one behind the last; None for what is no range."""
    match = _SPEC.fullmatch(spec)
    if match is None:
        return None
    if match["suffix"] is not None:
        return max(0, size - _number(match["suffix"])), size
    first = _number(match["first"])
    if not match["last"]:
        return first, size
    last = _number(match["last"])
    return (first, min(last + 1, size)) if last >= first else None


def _number(digits: str) -> int:
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) <= _MOST_DIGITS else 10**_MOST_DIGITS


def _overlap(parts: Sequence[Part]) -> bool:
    ordered = sorted(parts, key=lambda part: part.offset)
    return any(before.offset + before.length > after.offset for before, after in pairwise(ordered))
