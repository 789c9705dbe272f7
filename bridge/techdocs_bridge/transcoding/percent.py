"""Strict percent-decoding (RFC 3986, section 2.1), shared by paths and queries."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class PercentInvalid(ValueError):
    """The bytes have no one reading; the message completes "the path ..."."""


def decode(raw: bytes) -> str:
    """Return the text that the bytes stand for, decoding escapes once, as UTF-8.

    Raises `PercentInvalid` for a ``%`` without two hexadecimal digits, and for
    bytes that are not UTF-8: guessing would give one resource two addresses.
    """
    if b"%" in raw:
        if _BROKEN_ESCAPE.search(raw):
            raise PercentInvalid("has a % that is not followed by two hexadecimal digits")
        raw = unquote_to_bytes(raw)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise PercentInvalid("is not UTF-8 after percent-decoding") from None
