"""What of a request an answer depends on.

**Every header that the bridge reads anywhere is in one of these tables**, and a test holds the source against them: an
answer is given again only to a request that the usual way could not tell from the one it was made for.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Scope

from techdocs_bridge.backstage.credentials import COOKIE, AuthorizationUnusable, authorization
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
_FIRST_OF_PROXIES = CHOOSING_HEADERS.index(b"forwarded")
_TAGS, _DATE = CHOOSING_HEADERS.index(b"if-none-match"), CHOOSING_HEADERS.index(b"if-modified-since")
_COOKIE = COOKIE.encode()
_PLACES = {name: place for place, name in enumerate(CHOOSING_HEADERS)}


@dataclass(frozen=True, slots=True)
class Looked:
    """A request that may be answered from memory."""

    key: Key
    credential: bytes


def look(scope: Scope, *, with_cookie: bool) -> Looked | None:
    """Read a request of type ``http``; None for one that the usual way must answer.

    ``with_cookie`` is whether the cookie counts as credentials there. A header that comes twice is unusual, whichever
    it is of those that are read.
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
    return _looked(scope, values, own, with_cookie=with_cookie)


def _looked(scope: Scope, values: list[bytes | None], own: dict[bytes, bytes], *, with_cookie: bool) -> Looked | None:
    # A date counts only without tags (RFC 9110, section 13.1.3), and then it is compared with the time.
    if values[_DATE] is not None and values[_TAGS] is None:
        return None
    credential = _credential(scope, own, with_cookie=with_cookie)
    if credential is None:
        return None
    raw_path = scope.get("raw_path") or b""
    key = (
        scope["method"].encode(),
        raw_path,
        scope["query_string"],
        bool(credential),
        *_origin(scope, values),
        *values,
    )
    return Looked(key, credential)


def _origin(scope: Scope, values: list[bytes | None]) -> tuple[bytes, ...]:
    """Return what says where a request comes from: what proxies say is believed of some, so then it matters who says it."""
    scheme = scope["scheme"].encode()
    client = scope.get("client")
    if client is None or all(value is None for value in values[_FIRST_OF_PROXIES:]):
        return (scheme,)
    return scheme, str(client[0]).encode()


def _credential(scope: Scope, own: dict[bytes, bytes], *, with_cookie: bool) -> bytes | None:
    """Return what the server would be sent; None when the usual way must tell."""
    header = own.get(b"authorization")
    if header is not None and header.startswith(b"Bearer "):
        return header
    if header is None and (not with_cookie or _COOKIE not in own.get(b"cookie", b"")):
        return b""
    try:
        return authorization(Headers(scope=scope), with_cookie=with_cookie).encode()
    except AuthorizationUnusable:
        return None
