"""Content encodings, and which contents are worth having in them."""

from __future__ import annotations

import enum

LEAST_BYTES = 1024
"""Smaller contents fit into the first packets of a response, however they are encoded."""

MOST_BYTES = 32 * 1024 * 1024
"""Larger contents are not compressed: whoever does it holds them in memory, whole, a few times."""

# Kinds that are neither text nor compressed already.
_COMPRESSIBLE = frozenset(
    {
        "application/javascript",
        "application/json",
        "application/vnd.ms-fontobject",
        "application/wasm",
        "application/xml",
        "application/yaml",
        "font/otf",
        "font/ttf",
        "image/bmp",
        "image/vnd.microsoft.icon",
    }
)


class ContentEncoding(enum.StrEnum):
    """A coding of RFC 9110, section 8.4.1. The value is its name on the wire."""

    BROTLI = "br"
    """RFC 7932."""
    GZIP = "gzip"
    """RFC 1952."""


def is_compressible(media_type: str, size_bytes: int) -> bool:
    """Say whether contents of this type and size usually get much smaller. Parameters of the type do not matter."""
    if not LEAST_BYTES <= size_bytes <= MOST_BYTES:
        return False
    kind = media_type.partition(";")[0].strip().lower()
    return kind.startswith("text/") or kind in _COMPRESSIBLE or kind.endswith(("+xml", "+json"))


def is_worth_keeping(size_bytes: int, *, of_bytes: int) -> bool:
    """Say whether a variant saves a tenth of its identity's bytes, or more.

    One that saves less costs a reader the time to decode it, and us a file, for nothing.
    """
    return size_bytes * 10 <= of_bytes * 9
