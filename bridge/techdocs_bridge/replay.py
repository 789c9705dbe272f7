"""Answering from memory, before anything else sees the request.

There is one way in which answers are made, and this is not it: what is sent here was sent before, header for header,
by the usual way, which is asked for whatever is not held, not certain to be current, or not decided for the caller.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from techdocs_bridge.exchange import Exchange
from techdocs_bridge.forwarded import Proxies
from techdocs_bridge.middleware import access_log, log_request, make_exchange, request_id_of
from techdocs_bridge.page_cache.answer_store import Answer
from techdocs_bridge.page_cache.recording import Recording, RecordingBudget, current_recording
from techdocs_bridge.page_cache.request_key import Looked, look
from techdocs_bridge.page_cache.site_memory import SiteMemory
from techdocs_bridge.settings import BridgeSettings


class ReplayMiddleware:
    """Answers what it can from memory, hands the rest on, and keeps what comes back."""

    def __init__(
        self,
        app: ASGIApp,
        memory: SiteMemory,
        settings: BridgeSettings,
        *,
        is_leaving: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._currency = memory.currency
        self._decisions = memory.decisions
        self._mount = settings.mount
        self._proxies = Proxies(settings.trusted_proxies)
        self._is_leaving = is_leaving
        self._content = _below(settings.mount, "docs", "static/docs")
        self._sites = (*self._content, *_below(settings.mount, "metadata/techdocs"))
        self._clock = clock
        self._budget = RecordingBudget()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        looked = self._looked(scope)
        if looked is None:
            await self._app(scope, receive, send)
            return
        answer = self._held(looked)
        if answer is None:
            await self._record(looked, scope, receive, send)
            return
        started = self._clock()
        request_id = request_id_of(scope)
        headers = [*answer.headers, (b"x-request-id", request_id.encode())]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})
        if access_log.isEnabledFor(logging.INFO):
            self._log(answer, scope, request_id, self._clock() - started)

    def _looked(self, scope: Scope) -> Looked | None:
        # The usual way says to whom it answers last that this bridge is leaving.
        if scope["type"] != "http" or not self._currency.is_heard or self._is_leaving():
            return None
        root_path: str = scope.get("root_path", "")
        path: bytes = (scope.get("raw_path") or b"")[len(root_path) :]
        return look(scope, with_cookie=path.startswith(self._content)) if path.startswith(self._sites) else None

    def _log(self, answer: Answer, scope: Scope, request_id: str, duration_seconds: float) -> None:
        exchange = make_exchange(scope, request_id, mount=self._mount, proxies=self._proxies)
        exchange.route = answer.route
        exchange.status = answer.status
        exchange.sent_bytes = 0 if exchange.method == "HEAD" else len(answer.body)
        exchange.complete = True
        log_request(exchange, duration_seconds)

    def _held(self, looked: Looked) -> Answer | None:
        """Return the answer that the usual way would give now."""
        answer = self._currency.get(looked.key)
        return (
            answer
            if answer is not None and self._decisions.allows(looked.credential, answer.site, answer.part)
            else None
        )

    async def _record(self, looked: Looked, scope: Scope, receive: Receive, send: Send) -> None:
        recording = Recording(looked.key, looked.credential, self._budget, clock=self._clock)

        async def record_and_send(message: Message) -> None:
            recording.sent(message)
            await send(message)

        token = current_recording.set(recording)
        try:
            await self._app(scope, receive, record_and_send)
            recording.keep(self._currency, self._decisions, route=Exchange.of(scope).route)
        finally:
            current_recording.reset(token)
            recording.close()


def _below(mount: str, *paths: str) -> tuple[bytes, ...]:
    return tuple(f"{base}/{path}/".encode() for base in sorted({"", mount}) for path in paths)
