"""One connection of a client, with the bounds that uvicorn leaves to a proxy in front.

uvicorn parses with httptools and bounds an idle connection; how long a request's head may take, how large it may be,
and how many connections there may be, it does not. This subclass adds that, and makes sure that a connection which is
to be closed is gone some time later, whatever its client does:

- the head of a request must be complete within a time, from its first byte, or from the connection's begin;
- a head has a most number of bytes and of fields; fields behind a body (trailers, RFC 9112, section 7.1.2) are read
  over, so that none ever counts as a header, and with all that frames the body they have as many bytes as a head;
- a request of HTTP/1.1 has exactly one Host (RFC 9112, section 3.2);
- what is no HTTP is refused once, and never in the middle of the answer before it;
- an answer that was given before all of a request came ends the connection, if the rest does not come soon;
- bytes that a client does not take any more are thrown away with its connection.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from asyncio import TimerHandle
from dataclasses import dataclass
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

# Of one connection. A client that pipelines more is not one that reads what it asked for.
_MAX_PIPELINED = 64
_MAX_FIELDS = 128
# What may come with each piece of a body uncounted: the size of a chunk has two hexadecimal digits and two line ends
# at least, and a client that sends few bytes at a time is none that sends much else.
_PIECE_FRAMING_BYTES = 16
# How long the rest of a request may still come after its answer, before the connection is closed.
_REST_SECONDS = 2.0
_NAMES = {
    400: "InputError",
    408: "RequestTimeoutError",
    431: "HeaderTooLargeError",
    503: "ServiceUnavailableError",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """The bounds of connections. Times are seconds."""

    max_connections: int
    """Open ones at once; one more is told 503 and closed."""
    max_head_bytes: int
    """Request line and header fields of one request; and once more, what its body has that is no content."""
    head_seconds: float
    """For the whole head of a request."""
    unread_seconds: float
    """How long a client may take nothing of what is left for it, once its connection is to be closed."""


class BoundedConnection(HttpToolsProtocol):
    """A connection within `ConnectionLimits`. Use `bounded` to give uvicorn a class of it."""

    limits: ConnectionLimits

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._in_head = False
        """Whether a request has begun whose head is not complete."""
        self._in_body = False
        """Whether a head is complete whose body is not."""
        self._raw_bytes = 0
        """Bytes that came while no head was complete, for heads that never are."""
        self._head_bytes = 0
        """Bytes of the head as it was parsed."""
        self._framing_bytes = 0
        """Bytes of the body that came so far and are none of its content: sizes of chunks, trailers."""
        self._fields = 0
        self._refused = False
        self._head_timer: TimerHandle | None = None
        self._rest_timer: TimerHandle | None = None
        self._flush_timer: TimerHandle | None = None
        self._running: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Take a connection, or tell it that there are too many."""
        super().connection_made(transport)
        _forget_dead_peers(transport, self.limits.unread_seconds)
        if len(self.connections) > self.limits.max_connections:
            self._refuse(503, "there are too many connections; try again in a second")
            return
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget everything."""
        for timer in (self._head_timer, self._rest_timer, self._flush_timer):
            if timer is not None:
                timer.cancel()
        self.pipeline.clear()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def data_received(self, data: bytes) -> None:
        """Parse what came, and see that a head neither lasts nor grows without end."""
        if self._refused or self.transport.is_closing():
            return
        if not self._in_body:
            self._raw_bytes += len(data)
            self._await_head()
        else:
            self._framing_bytes += len(data)
        super().data_received(data)
        self._bound_what_came()

    def _bound_what_came(self) -> None:
        if self._refused or self.parser is None:
            return
        if self._in_head and self._raw_bytes > self.limits.max_head_bytes:
            self._refuse_head()
        # The parser holds an unfinished trailer and copies it with every piece, so its end cannot be waited for.
        if self._in_body and self._framing_bytes > self.limits.max_head_bytes:
            self._refuse(431, f"the body has more than {self.limits.max_head_bytes} bytes of trailers and the like")
        if len(self.pipeline) > _MAX_PIPELINED:
            self._refuse(400, "there are too many requests in one go")

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._in_head = True
        super().on_message_begin()
        self._head_bytes = 0
        self._fields = 0

    def on_url(self, url: bytes) -> None:
        """Take a part of the target."""
        self._head_bytes += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head; one behind the body is none of the request's headers."""
        if not self._in_head:
            return
        self._fields += 1
        self._head_bytes += len(name) + len(value) + 4
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to answer, if the head is one that may be answered."""
        self._in_head, self._in_body, self._raw_bytes, self._framing_bytes = False, True, 0, 0
        self._stop_head_timer()
        if self._refused:
            return
        if self._fields > _MAX_FIELDS or self._head_bytes > self.limits.max_head_bytes:
            self._refuse_head()
        elif self.parser.get_http_version() not in ("1.0", "1.1"):
            self._refuse(400, "the version of HTTP must be 1.1 or 1.0")
        elif not self._has_its_host():
            self._refuse(400, "a request must have exactly one Host header")
        else:
            super().on_headers_complete()
            # Nothing behind a request for another protocol is parsed, so nothing more can be asked here.
            self.cycle.keep_alive = self.cycle.keep_alive and not self.parser.should_upgrade()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._framing_bytes = max(0, self._framing_bytes - _PIECE_FRAMING_BYTES - len(body))
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._in_body = False
        if self._refused:
            return
        super().on_message_complete()
        if self._rest_timer is not None:
            self._rest_timer.cancel()
            self._rest_timer = None
            self._await_idle()

    def on_response_complete(self) -> None:
        """Go on with the next request, wait for one, or close."""
        super().on_response_complete()
        if self._refused and not self.pipeline:
            self.transport.close()
        elif self._in_body and self.cycle.response_complete and self._rest_timer is None:
            # uvicorn's own timer for idle connections is stopped by every byte, this one is not.
            self._rest_timer = self.loop.call_later(_REST_SECONDS, self.transport.close)
        self._watch_closing()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection on which nothing came for too long."""
        super().timeout_keep_alive_handler()
        self._watch_closing()

    def shutdown(self) -> None:
        """Close when what runs is done; at once when nothing does, half a request included."""
        super().shutdown()
        self._watch_closing()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self._refuse(400, "this is not a request of HTTP/1.1")

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: a server may pass an upgrade over (RFC 9110, section 7.8), and curl asks for one."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle

        async def watched(scope: Any, receive: Any, send: Any) -> None:
            try:
                await app(scope, receive, send)
            finally:
                # uvicorn closes the connection of an answer that was broken off once this is over.
                self.loop.call_soon(self._watch_closing)

        super()._start_asgi_task(cycle, watched)

    def _has_its_host(self) -> bool:
        hosts = sum(name == b"host" for name, _ in self.headers)
        return hosts == 1 or (hosts == 0 and self.parser.get_http_version() == "1.0")

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.limits.head_seconds, self._head_too_slow)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _await_idle(self) -> None:
        self._unset_keepalive_if_required()
        if not self.transport.is_closing():
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _head_too_slow(self) -> None:
        self._head_timer = None
        if self._in_head or self.cycle is None:
            self._refuse(408, f"the head of the request did not come within {self.limits.head_seconds:g} seconds")
        elif self.cycle.response_complete:
            # An empty line came, which begins nothing and has stopped the timer of idle connections.
            self.transport.close()
            self._watch_closing()

    def _refuse_head(self) -> None:
        limit = self.limits.max_head_bytes
        self._refuse(431, f"the head of the request has more than {limit} bytes or {_MAX_FIELDS} fields")

    def _refuse(self, status: int, message: str) -> None:
        """Take nothing more of this connection, and say why, unless another answer is on its way: then say nothing."""
        if self._refused:
            return
        self._refused = True
        self._stop_head_timer()
        self._unset_keepalive_if_required()
        running = self._running
        if running is not None and not running.response_complete:
            if not self._in_body or running is not self.cycle or running.response_started:
                running.keep_alive = False
                self.pipeline.clear()
                return
            # It is this very request that is refused: whoever waits for the rest of its body hears that none comes.
            running.disconnected = True
            running.message_event.set()
        if not self.transport.is_closing():
            self.transport.write(_answer(status, message, self.server_state.default_headers))
            self.transport.close()
        self._watch_closing()

    def _watch_closing(self, left: int = -1) -> None:
        """See that a connection which is to be closed goes away although its client takes nothing of what is left."""
        if self.parser is None or not self.transport.is_closing():
            return
        if self._flush_timer is not None and left < 0:
            return
        now = self.transport.get_write_buffer_size()
        if 0 <= left <= now:
            _reset(self.transport)
            return
        self._flush_timer = self.loop.call_later(self.limits.unread_seconds, self._watch_closing, now)


def bounded(limits: ConnectionLimits) -> type[BoundedConnection]:
    """Return the class of connections within these limits, for ``uvicorn.Config(http=...)``."""
    return type("LimitedConnection", (BoundedConnection,), {"limits": limits})


def _answer(status: int, message: str, headers: list[tuple[bytes, bytes]]) -> bytes:
    body = json.dumps(
        {"error": {"name": _NAMES[status], "message": message}, "response": {"statusCode": status}},
        separators=(",", ":"),
    ).encode()
    lines = [
        *(name + b": " + value for name, value in headers),
        b"content-type: application/json",
        b"content-length: %d" % len(body),
        b"cache-control: no-store",
        b"x-content-type-options: nosniff",
        b"connection: close",
        *((b"retry-after: 1",) if status == 503 else ()),
    ]
    return STATUS_LINE[status] + b"\r\n".join(lines) + b"\r\n\r\n" + body


def _reset(transport: asyncio.Transport) -> None:
    """End a connection at once. A close would leave what is unsent to the kernel, which waits for the client as well."""
    peer = transport.get_extra_info("socket")
    if peer is not None:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _forget_dead_peers(transport: asyncio.Transport, seconds: float) -> None:
    """Let the kernel end a connection whose other side vanished: with what is not acknowledged, or with idle probes."""
    peer = transport.get_extra_info("socket")
    if peer is None or peer.family not in (socket.AF_INET, socket.AF_INET6) or not hasattr(socket, "TCP_USER_TIMEOUT"):
        return
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))
