"""Tokens that continue a listing."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence

from techdocs_server.domain.errors import PageTokenInvalid


def page_token(arguments: Sequence[str], position: Sequence[str]) -> str:
    """Return a token for going on after a position in the listing with these arguments."""
    document = json.dumps([_fingerprint(arguments), *position], separators=(",", ":"))
    return base64.urlsafe_b64encode(document.encode()).decode().rstrip("=")


def position_of(token: str, arguments: Sequence[str], *, length: int) -> tuple[str, ...]:
    """Return the position in a token made with the same arguments. Raises `PageTokenInvalid`."""
    try:
        document = json.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
        json.dumps(document, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    except (ValueError, RecursionError):
        raise PageTokenInvalid from None
    if not isinstance(document, list) or len(document) != length + 1:
        raise PageTokenInvalid
    if document[0] != _fingerprint(arguments) or not all(isinstance(part, str) for part in document):
        raise PageTokenInvalid
    return tuple(document[1:])


def _fingerprint(arguments: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(list(arguments)).encode()).hexdigest()[:16]
