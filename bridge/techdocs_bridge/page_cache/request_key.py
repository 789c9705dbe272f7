"""What of a request an answer depends on.

**Every header that the bridge reads anywhere is in one of these tables**, and a test holds the source against them: an
answer is given again only to a request that the usual way could not tell from the one it was made for.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.types import Scope

from techdocs_bridge.page_cache.answer_store import Key

CHOOSING_HEADERS = (
    b"host",
    b"origin",
    b"accept",
    b"accept-encoding",
    b"sec-fetch-mode",
    b"if-none-match",
    b"if-modified-since",
    b"forwarded",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-port",
    b"x-forwarded-prefix",
    b"x-forwarded-proto",
)
"""An answer is for a request with the same ones."""

UNUSUAL_HEADERS = frozenset(
    {
        b"range",
        b"if-range",
        b"if-match",
        b"if-unmodified-since",
        b"content-length",
        b"content-encoding",
        b"content-type",
        b"transfer-encoding",
        b"expect",
        b"upgrade",
        b"access-control-request-method",
        b"access-control-request-headers",
        b"last-event-id",
    }
)
"""A request with one of these is answered by the usual way."""

OWN_HEADERS = frozenset({b"authorization", b"cookie", b"x-request-id"})
"""Read for what they are: who asks, and the request's id."""

_MOST_VALUE_BYTES = 512
_PLACES = {name: place for place, name in enumerate(CHOOSING_HEADERS)}


@dataclass(frozen=True, slots=True)
class Looked:
    """A request that may be answered from memory."""

    key: Key
    credential: bytes


def look(scope: Scope) -> Looked | None:
    """Read a request of type ``http``; None for one that the usual way must answer.

    A header that comes twice is unusual, whichever it is of those that are read.
    """
    method = scope["method"]
    if method not in ("GET", "HEAD"):
        return None
    values: list[bytes | None] = [None] * len(CHOOSING_HEADERS)
    own: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        place = _PLACES.get(name)
        if place is not None:
            if values[place] is not None or len(value) > _MOST_VALUE_BYTES:
                return None
            values[place] = value
        elif name in OWN_HEADERS:
            if name in own:
                return None
            own[name] = value
        elif name in UNUSUAL_HEADERS:
            return None
    return _looked(scope, values, own)


def _looked(scope: Scope, values: list[bytes | None], own: dict[bytes, bytes]) -> Looked | None:
    credential = own.get(b"authorization", b"")
    if b"backstage-auth" in own.get(b"cookie", b"") and not credential.lower().startswith(b"bearer "):
        return None
    raw_path = scope.get("raw_path") or b""
    key = (
        scope["method"].encode(),
        raw_path,
        scope["query_string"],
        scope["scheme"].encode(),
        bool(credential),
        *values,
    )
    return Looked(key, credential)
