"""One request and its answer, as the parts of the bridge see it.

Paths are the bytes of the wire (``raw_path``): a framework's decoded path can no longer tell ``a%2Fb`` from ``a/b``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TypeVar, cast
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.types import Receive, Scope

from techdocs_bridge.forwarded import Origin

_T = TypeVar("_T")
_KEY = "techdocs_exchange"


class ResponseAborted(Exception):
    """The answer cannot be completed after it began. The connection is closed so that nobody takes it for whole."""


class ClientGone(Exception):
    """The client went away; there is nobody to answer."""


class Exchange:
    """A request with what was decided about it on the way."""

    def __init__(self, scope: Scope, *, request_id: str, mount: str, origin: Origin | None = None) -> None:
        """Wrap a request of scope type ``http``.

        ``mount`` is the path the API lives under, in any case of its letters, as Backstage's router has it. ``origin``
        is where the request comes from; None takes it from the connection and the Host header.
        """
        self.headers = Headers(scope=scope)
        self.request_id = request_id
        self.method: str = scope["method"]
        self.raw_path: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
        self.query: bytes = scope["query_string"]
        client = scope.get("client")
        peer = client[0] if client else ""
        self.origin = origin or Origin(peer, scope.get("scheme", "http"), self.headers.get("host", ""), "")
        """Who asks, and for which host, as far as it can be believed."""
        self.peer: str = self.origin.peer
        # A server that sits under a path of its own counts it in raw_path as well (ASGI, "root_path").
        root = scope.get("root_path", "").encode()
        root = root if root and self.raw_path.startswith(root + b"/") else b""
        self.path: bytes = self.raw_path[len(root) :]
        """The raw path without the path the whole application lives under."""
        under = self.path[: len(mount) + 1].lower() == mount.lower().encode() + b"/"
        self.is_mounted = under
        """Whether the path is under the mount, where Backstage's clients ask; with an empty mount everything is."""
        self.base: bytes = root + (self.path[: len(mount)] if under else b"")
        """What the raw path has before the part that the contract describes."""
        self.is_static = under and self.path[len(mount) :].lower().startswith(b"/static/docs/")
        """Whether it asks for static documentation, whatever else is wrong with it."""
        self.route = ""
        """Name of the method that answers, for the log."""
        self.status = 0
        """Status that was sent; 0 while there is none."""
        self.sent_bytes = 0
        """Bytes of body that were sent."""
        self.complete = False
        """Whether the whole answer was sent."""

    def attach(self, scope: Scope) -> None:
        """Let the inner parts of the application find this with `of`."""
        scope[_KEY] = self

    @classmethod
    def of(cls, scope: Scope) -> Exchange:
        """Return the exchange of a request."""
        return cast(Exchange, scope[_KEY])

    @property
    def url(self) -> str:
        """Path and query relative to the mount, as Backstage reports them in errors."""
        return (self.api_path + (b"?" + self.query if self.query else b"")).decode("latin-1")

    @property
    def api_path(self) -> bytes:
        """The raw path relative to the mount: what the contract describes."""
        return self.raw_path[len(self.base) :]

    @property
    def accept(self) -> str:
        """The Accept header in lower case, ``*/*`` when there is none (RFC 9110, section 12.5.1)."""
        return ", ".join(self.headers.getlist("accept")).lower() or "*/*"

    def accepts_explicitly(self, media_type: str) -> bool:
        """Return whether the Accept header names the media type itself, with a weight above 0."""
        return any(_weighs(part, media_type) for part in self.accept.split(","))


def _weighs(part: str, media_type: str) -> bool:
    name, *parameters = (piece.strip() for piece in part.split(";"))
    return name == media_type and not any(_is_zero(parameter) for parameter in parameters)


def _is_zero(parameter: str) -> bool:
    key, _, value = parameter.partition("=")
    return key.strip() == "q" and bool(value.strip()) and not value.strip().strip("0.")


async def while_connected(receive: Receive, work: Coroutine[None, None, _T]) -> _T:
    """Return what ``work`` returns; cancel it and raise `ClientGone` when the client leaves first.

    The request body MUST have been read. When this returns or raises, ``work`` has ended.
    """
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(_left(receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGone
        return working.result()
    finally:
        await _end(leaving)
        await _end(working)


async def read_body(receive: Receive) -> bytes:
    """Return the whole body. Raises `ClientGone` when the client leaves in its middle."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _end(task: asyncio.Task[_T]) -> None:
    if not task.done():
        task.cancel()
        await asyncio.wait({task})
