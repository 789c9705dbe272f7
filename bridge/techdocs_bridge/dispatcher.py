"""From a request to the one thing that answers it: the route, its limits, its request message, its form."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from google.protobuf.message import Message
from starlette.types import Receive, Scope, Send

from techdocs_bridge.backstage.credentials import AuthorizationUnusable, authorization
from techdocs_bridge.backstage.problems import entity_ref, in_backstage_words, path_problem, static_ref
from techdocs_bridge.backstage.static_docs import page_problem
from techdocs_bridge.bound_call import BoundCall
from techdocs_bridge.client import CallContext, ServerClient
from techdocs_bridge.content import ContentReader
from techdocs_bridge.content_forms import SITE, STATIC, STATIC_PREFIX, is_static
from techdocs_bridge.content_source import ServerSource
from techdocs_bridge.event_stream import EventStreams
from techdocs_bridge.exchange import Exchange, read_body, while_connected
from techdocs_bridge.json_answers import answer_unary
from techdocs_bridge.json_lines import LineStreams
from techdocs_bridge.own_paths import OwnPath, OwnPaths
from techdocs_bridge.refusals import (
    authorization_unusable,
    body_too_slow,
    method_not_allowed,
    no_such_path,
    overloaded,
    path_invalid,
    request_invalid,
    unsupported_media_type,
)
from techdocs_bridge.settings import BridgeSettings
from techdocs_bridge.site_metadata import VARY, StoredMetadata, asks_for_stored_form
from techdocs_bridge.status import HTTPProblem
from techdocs_bridge.transcoding.binding import RequestInvalid, UnsupportedMediaType, build_request
from techdocs_bridge.transcoding.http_rules import Route
from techdocs_bridge.transcoding.path_template import PathInvalid
from techdocs_bridge.transcoding.routes import Found, NoRoute, RouteTable, WrongMethod

_CONTENT = "techdocs.v1.DocsService.ReadContent"
_EVENTS = "techdocs.v1.BuildService.StreamSync"
_WAITS_FOR_BUILDS = "techdocs.v1.BuildService.SyncSite"

_METADATA = "techdocs.v1.DocsService.GetSiteMetadata"
_BACKSTAGE = ("/metadata/", "/sync/", STATIC_PREFIX)


class Dispatcher:
    """Answers every request of the bridge. Raises what it cannot answer as `HTTPProblem`."""

    def __init__(
        self,
        settings: BridgeSettings,
        table: RouteTable,
        client: ServerClient,
        own_paths: OwnPaths,
        draining: asyncio.Event,
    ) -> None:
        self._settings = settings
        self._table = table
        self._client = client
        self._own_paths = own_paths
        self._content = ContentReader(ServerSource(client, unary_deadline_seconds=settings.default_deadline_seconds))
        self._metadata = StoredMetadata(client)
        self._events = EventStreams(client, draining, heartbeat_seconds=settings.heartbeat_seconds)
        self._lines = LineStreams(client, draining)
        self._requests = _Slots(settings.max_concurrent_requests)
        self._streams = _Slots(settings.max_concurrent_streams)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = Exchange.of(scope)
        try:
            own_path = self._own_paths.find(exchange)
            if own_path is not None:
                await self._answer_own(own_path, exchange, send)
            else:
                await self._answer_routed(exchange, receive, send)
        except HTTPProblem as problem:
            if is_static(exchange):
                raise page_problem(problem) from problem
            raise

    async def _answer_own(self, own_path: OwnPath, exchange: Exchange, send: Send) -> None:
        answer = own_path.get("GET" if exchange.method == "HEAD" else exchange.method)
        if answer is None:
            await _answer_other_method(exchange, tuple(sorted({*own_path, "HEAD"})), send)
        elif exchange.is_mounted:
            with self._requests.taken():
                await answer(exchange, send)
        else:
            # Probes are answered however much there is to do.
            await answer(exchange, send)

    async def _answer_routed(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        try:
            match = self._table.find(exchange.method, exchange.path, mount=self._settings.mount)
        except PathInvalid as error:
            problem = path_invalid(str(error))
            ref = static_ref(exchange.api_path) if exchange.is_mounted and exchange.is_static else ""
            raise (path_problem(problem, ref) if ref else problem) from error
        if isinstance(match, WrongMethod):
            await _answer_other_method(exchange, match.allow, send)
        elif isinstance(match, NoRoute):
            raise no_such_path()
        else:
            exchange.route = match.route.full_name
            exchange.is_static = exchange.is_static or match.route.template.text.startswith(STATIC_PREFIX)
            with self._slots(match.route).taken():
                await self._answer_call(match, exchange, receive, send)

    async def _answer_call(self, match: Found, exchange: Exchange, receive: Receive, send: Send) -> None:
        words = _words(match, exchange)
        try:
            body = await self._body(exchange, receive)
            context = self._context(match.route, exchange)
            call = BoundCall(exchange, match.route.method, _request(match, exchange, body), context, words)
            await while_connected(receive, self._answer(match.route, call, send))
        except HTTPProblem as problem:
            raise words(problem) from problem

    async def _answer(self, route: Route, call: BoundCall, send: Send) -> None:
        if route.full_name == _CONTENT:
            form = STATIC if route.template.text.startswith(STATIC_PREFIX) else SITE
            await self._content.answer(call, form, send)
        elif route.full_name == _EVENTS:
            await self._events.answer(call, send)
        elif route.full_name == _METADATA and asks_for_stored_form(call.exchange):
            await self._metadata.answer(call, send)
        elif route.server_streaming:
            await self._lines.answer(route, call, send)
        else:
            await answer_unary(self._client, route, call, send, headers=VARY if route.full_name == _METADATA else ())

    def _slots(self, route: Route) -> _Slots:
        """Event streams stay long and cost little; content is streamed but ends by itself."""
        return self._streams if route.server_streaming and route.full_name != _CONTENT else self._requests

    def _context(self, route: Route, exchange: Exchange) -> CallContext:
        if route.server_streaming:
            deadline_seconds = self._settings.stream_deadline_seconds
        elif route.full_name == _WAITS_FOR_BUILDS:
            deadline_seconds = self._settings.sync_deadline_seconds
        else:
            deadline_seconds = self._settings.default_deadline_seconds
        return CallContext(
            request_id=exchange.request_id,
            authorization=_authorization(exchange, is_content=route.full_name == _CONTENT),
            deadline_seconds=deadline_seconds,
        )

    async def _body(self, exchange: Exchange, receive: Receive) -> bytes:
        encoding = exchange.headers.get("content-encoding", "identity")
        if encoding.lower() != "identity":
            raise unsupported_media_type("the body must not have a content-encoding")
        seconds = self._settings.client_timeout_seconds
        try:
            async with asyncio.timeout(seconds):
                return await read_body(receive)
        except TimeoutError:
            raise body_too_slow(seconds) from None


class _Slots:
    """A number of places that are taken and given back."""

    def __init__(self, count: int) -> None:
        self._free = count

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a place. Raises `HTTPProblem` (503) when there is none."""
        if not self._free:
            raise overloaded()
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1


def _request(match: Found, exchange: Exchange, body: bytes) -> Message:
    is_content = match.route.full_name == _CONTENT
    try:
        return build_request(
            match.route,
            match.variables,
            query=_query(match, exchange),
            body=b"" if is_content else body,
            content_type=exchange.headers.get("content-type"),
        )
    except RequestInvalid as error:
        raise request_invalid((violation.field, violation.description) for violation in error.violations) from error
    except UnsupportedMediaType as error:
        raise unsupported_media_type(str(error)) from error


def _query(match: Found, exchange: Exchange) -> bytes:
    """Keep what the API means by a query.

    Links inside a site have queries of their own (``?h=term``, ``style.css?v=2``), and conditions and ranges come as
    headers. Backstage's own paths have no queries, so what is none of ours there is of no interest either.
    """
    if match.route.full_name == _CONTENT:
        return b"&".join(part for part in exchange.query.split(b"&") if part.startswith(b"revision="))
    if exchange.is_mounted and match.route.template.text.startswith(_BACKSTAGE):
        fields = match.route.method.input_type.fields
        known = {name.encode() for field in fields for name in (field.name, field.json_name)}
        return b"&".join(part for part in exchange.query.split(b"&") if re.split(rb"[=.]", part)[0] in known)
    return exchange.query


def _authorization(exchange: Exchange, *, is_content: bool) -> str:
    """Return what goes to the server as authorization. Browsers load contents by themselves, with a cookie."""
    try:
        return authorization(exchange.headers, with_cookie=is_content)
    except AuthorizationUnusable as error:
        raise authorization_unusable(str(error), status=error.status) from error


def _words(match: Found, exchange: Exchange) -> Callable[[HTTPProblem], HTTPProblem]:
    """Return what puts a problem into Backstage's words, where Backstage's clients ask: under the mount."""
    if not exchange.is_mounted or not match.route.template.text.startswith(_BACKSTAGE):
        return lambda problem: problem
    names = (match.variables.get(f"entity.{part}", "") for part in ("namespace", "kind", "name"))
    ref = entity_ref(*names)

    def words(problem: HTTPProblem) -> HTTPProblem:
        if exchange.is_static and problem.reason == "FIELD_INVALID":
            return path_problem(problem, ref)
        return in_backstage_words(problem, match.route.full_name, ref)

    return words


async def _answer_other_method(exchange: Exchange, known: tuple[str, ...], send: Send) -> None:
    allow = ", ".join([*known, "OPTIONS"])
    if exchange.method != "OPTIONS":
        raise method_not_allowed(allow)
    await send({"type": "http.response.start", "status": 204, "headers": [(b"allow", allow.encode())]})
    await send({"type": "http.response.body", "body": b""})
