"""Which credentials go to the server with a request, from its Authorization header and its cookies.

Backstage's rules (plugin ``httpAuth`` of backend-defaults): a bearer token is the credential, good or bad; without one
the cookie ``backstage-auth`` counts, on paths that browsers load by themselves, and only to read. Any other scheme of
Authorization is no credential. Whether a token is good is for the server to say.
"""

from __future__ import annotations

import re

from starlette.datastructures import Headers

COOKIE = "backstage-auth"

# gRPC servers take 8 KiB of metadata for certain; a quarter is left for everything else.
MAX_AUTHORIZATION_BYTES = 6 * 1024

_BEARER = re.compile(r"bearer +(?P<token>\S+)", re.IGNORECASE)
# token68 (RFC 9110, section 11.2) holds a JWT and every static token there may be in a cookie.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")


class AuthorizationUnusable(Exception):
    """The header cannot be handed on. Says why, and which status of HTTP that is."""

    def __init__(self, problem: str, status: int) -> None:
        super().__init__(problem)
        self.status = status


def authorization(headers: Headers, *, with_cookie: bool) -> str:
    """Return ``Bearer TOKEN``, or an empty string for no credentials.

    ``with_cookie`` says whether the cookie counts. A cookie that cannot be a token is as good as none.

    Raises:
        AuthorizationUnusable: the header is too long, is sent twice, or has characters that gRPC cannot carry.
    """
    given = headers.getlist("authorization")
    if len(given) > 1:
        raise AuthorizationUnusable("is sent more than once", 400)
    header = given[0].strip() if given else ""
    if len(header) > MAX_AUTHORIZATION_BYTES:
        raise AuthorizationUnusable(f"is longer than {MAX_AUTHORIZATION_BYTES} bytes", 431)
    if not header.isascii() or not header.isprintable():
        raise AuthorizationUnusable("has characters that are not printable ASCII", 400)
    if found := _BEARER.fullmatch(header):
        return f"Bearer {found['token']}"
    token = cookie_token(headers) if with_cookie else ""
    return f"Bearer {token}" if token else ""


def cookie_token(headers: Headers) -> str:
    """Return the token in the cookie, empty for none.

    Of several cookies of the name the first counts: browsers send that of the longer path first (RFC 6265, section
    5.4), and a second one, set for a parent domain by a neighbour, must not win. Quotes are no part of a value
    (section 4.1.1).
    """
    for pair in ";".join(headers.getlist("cookie")).split(";"):
        name, _, value = pair.strip().partition("=")
        if name == COOKIE:
            value = value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
            fits = len(value) <= MAX_AUTHORIZATION_BYTES - len("Bearer ")
            return value if fits and _TOKEN.fullmatch(value) else ""
    return ""
