"""Which pages of other origins may read answers: those the settings name, and with credentials.

Backstage's app often has an origin of its own, calls with a bearer token, and loads pictures of pages with a cookie. So
an origin that is let in is let in with credentials, and therefore never by reflection of whatever asks (Fetch
standard, section 3.3): it has to be named. A pattern has ``*`` for one part of a host name, as in
``https://*.example.com`` or ``https://pr-*.example.com``: it never reaches over a dot, into a port or into a scheme.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Send

_ORIGIN = re.compile(r"https?://(?P<host>[a-z0-9*-]+(?:\.[a-z0-9*-]+)*|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_SHOWN = ("ETag", "Retry-After", "X-Request-ID", "Content-Range", "Accept-Ranges")
_PREFLIGHT_SECONDS = 600


def origin_patterns(origins: Sequence[str]) -> re.Pattern[str] | None:
    """Return what matches exactly the origins of a list, or None for an empty one.

    Raises:
        ValueError: an entry is no origin, or would let in all there are.
    """
    for origin in origins:
        found = _ORIGIN.fullmatch(origin.lower())
        if found is None or not found["host"].strip("*."):
            raise ValueError(f"must be origins like https://backstage.example.com or https://*.example.com: {origin!r}")
    if not origins:
        return None
    # The star stands for letters, digits and hyphens of one label.
    texts = [re.escape(origin.lower()).replace(r"\*", "[a-z0-9-]+") for origin in origins]
    return re.compile("|".join(f"(?:{text})" for text in texts))


class CrossOriginMiddleware(CORSMiddleware):
    """Starlette's, with an answer to preflights that has no body, as Backstage's have none."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        """Let in the origins. Raises `ValueError` for a list that is none."""
        pattern = origin_patterns(origins)
        super().__init__(
            app,
            allow_origin_regex=pattern.pattern if pattern else None,
            allow_methods=_METHODS,
            allow_headers=("*",),
            allow_credentials=True,
            expose_headers=_SHOWN,
            max_age=_PREFLIGHT_SECONDS,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a preflight: 204, with permission or without. The browser enforces it either way."""
        told = super().preflight_response(request_headers)
        kept = {"vary": told.headers["vary"]}
        if told.status_code == 200:
            kept |= {name: value for name, value in told.headers.items() if name.startswith("access-control-")}
        return Response(status_code=204, headers=kept)

    async def send(self, message: Message, send: Send, request_headers: Headers) -> None:
        """Send an answer, with permission for an origin that is let in. To every other it says nothing of credentials."""
        origin = request_headers.get("origin")
        if message["type"] == "http.response.start" and (origin is None or not self.is_allowed_origin(origin)):
            MutableHeaders(scope=message).add_vary_header("Origin")
            await send(message)
            return
        await super().send(message, send, request_headers)
