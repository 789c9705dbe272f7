"""What every request gets, whatever answers it: an id, a log line, headers, limits, and an answer when all else fails.

The order, from the outside: `RequestMiddleware` makes the `Exchange` and logs it, `ProblemMiddleware` turns what is
raised into answers, `BodyLimitMiddleware` bounds what is read. They are plain ASGI, so streams pass through untouched.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
import time
import uuid
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from techdocs_bridge.error_body import error_response, log_problem
from techdocs_bridge.exchange import ClientGone, Exchange, ResponseAborted
from techdocs_bridge.forwarded import Proxies
from techdocs_bridge.refusals import body_too_large, defect, draining
from techdocs_bridge.security_headers import COMMON_HEADERS, INERT_POLICY, transport_headers
from techdocs_bridge.settings import BridgeSettings
from techdocs_bridge.status import HTTPProblem

access_log = logging.getLogger("techdocs.bridge.access")
_log = logging.getLogger("techdocs.bridge")

_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_CLIENT_CLOSED_REQUEST = 499
# Seeded by the system at import, so that no two processes make the same ones.
_ids = random.Random()  # noqa: S311 - not for secrets


class RequestMiddleware:
    """Makes the exchange, sends what every answer has, and writes the one log line."""

    def __init__(self, app: ASGIApp, settings: BridgeSettings, is_leaving: Callable[[], bool]) -> None:
        self._app = app
        self._settings = settings
        self._is_leaving = is_leaving
        self._proxies = Proxies(settings.trusted_proxies)
        self._headers = (*COMMON_HEADERS, *transport_headers(settings.external_url))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        exchange = make_exchange(scope, request_id_of(scope), mount=self._settings.mount, proxies=self._proxies)
        exchange.attach(scope)
        try:
            await self._app(scope, receive, self._sending(exchange, send))
        finally:
            log_request(exchange, time.monotonic() - started)

    def _sending(self, exchange: Exchange, send: Send) -> Send:
        async def send_within_limits(message: Message) -> None:
            message = self._started(exchange, message) if message["type"] == "http.response.start" else message
            if message["type"] == "http.response.body":
                message = _body(exchange, message)
            try:
                async with asyncio.timeout(self._settings.client_timeout_seconds):
                    await send(message)
            except TimeoutError:
                raise ResponseAborted("the client took nothing for too long") from None
            exchange.complete = message["type"] == "http.response.body" and not message.get("more_body", False)

        return send_within_limits

    def _started(self, exchange: Exchange, message: Message) -> Message:
        exchange.status = message["status"]
        headers = [*message.get("headers", ()), *self._headers, (b"x-request-id", exchange.request_id.encode())]
        # A cache puts the headers of a 304 into the answer it keeps, and that may be a page with a policy of its own.
        if exchange.status != 304 and all(name != b"content-security-policy" for name, _ in headers):
            headers.append((b"content-security-policy", INERT_POLICY.encode()))
        if self._is_leaving():
            # The next request finds another bridge, while this one still answers what reaches it.
            headers.append((b"connection", b"close"))
        return {**message, "headers": headers}


def make_exchange(scope: Scope, request_id: str, *, mount: str, proxies: Proxies) -> Exchange:
    """Return the exchange of a request of type ``http``."""
    client = scope.get("client")
    origin = proxies.origin(client[0] if client else "", scope["scheme"], Headers(scope=scope))
    return Exchange(scope, request_id=request_id, mount=mount, origin=origin)


def request_id_of(scope: Scope) -> str:
    """Return the id of a request: its own, where it has a plain one, or a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value.decode("latin-1")):
            return str(value, "ascii")
    # As uuid4 makes them, without a system call: an id is no secret.
    return str(uuid.UUID(int=_ids.getrandbits(128), version=4))


def _body(exchange: Exchange, message: Message) -> Message:
    if exchange.method == "HEAD":
        return {**message, "body": b""}
    exchange.sent_bytes += len(message.get("body", b""))
    return message


def log_request(exchange: Exchange, duration_seconds: float) -> None:
    """Write the one line of the access log."""
    access_log.info(
        "http_request",
        extra={
            "request_id": exchange.request_id,
            "method": exchange.method,
            "path": exchange.raw_path.decode("latin-1"),
            "route": exchange.route,
            "status": exchange.status or _CLIENT_CLOSED_REQUEST,
            "complete": exchange.complete,
            "sent_bytes": exchange.sent_bytes,
            "duration_seconds": round(duration_seconds, 6),
            "peer": exchange.peer,
        },
    )


class ProblemMiddleware:
    """Answers with what was raised. Once an answer began it can only be broken off, visibly."""

    def __init__(self, app: ASGIApp, is_draining: Callable[[], bool]) -> None:
        self._app = app
        self._is_draining = is_draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange.of(scope)
        try:
            await self._app(scope, receive, send)
            return
        except ClientGone:
            return
        except ResponseAborted as aborted:
            _log_aborted(exchange, str(aborted))
            raise
        except HTTPProblem as raised:
            problem = raised
        except asyncio.CancelledError:
            # Whoever stops the server cancels what is not done in time. A client that waits still gets its answer.
            if not self._is_draining():
                raise
            problem = draining()
        except Exception:
            _log.exception("request_failed", extra={"request_id": exchange.request_id})
            problem = defect("")
        if exchange.status:
            _log_aborted(exchange, str(problem))
            raise ResponseAborted(str(problem))
        log_problem(problem, exchange)
        await error_response(problem, exchange)(scope, receive, send)


def _log_aborted(exchange: Exchange, problem: str) -> None:
    _log.warning("response_aborted", extra={"request_id": exchange.request_id, "problem": problem})


class BodyLimitMiddleware:
    """Refuses bodies over the limit, announced or not, before they are held in memory."""

    def __init__(self, app: ASGIApp, limit_bytes: int) -> None:
        self._app = app
        self._limit_bytes = limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Raises `HTTPProblem` (413) for a body over the limit."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Exchange.of(scope).headers.get("content-length", "")
        # 18 digits are beyond any limit, and thousands of them beyond int().
        if announced.isdecimal() and (len(announced) > 18 or int(announced) > self._limit_bytes):
            raise body_too_large(self._limit_bytes)
        await self._app(scope, self._counting(receive), send)

    def _counting(self, receive: Receive) -> Receive:
        received = 0

        async def receive_within_limit() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit_bytes:
                raise body_too_large(self._limit_bytes)
            return message

        return receive_within_limit
