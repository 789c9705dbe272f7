"""Pages and assets: what a request of HTTP asks of the content's source, and what is done when the answer is no.

How an answer looks is the business of `content_answer` and `content_parts`.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.types import Send
from techdocs.v1 import docs_pb2

from techdocs_bridge.accept_encoding import Coding, accepted_codings
from techdocs_bridge.bound_call import BoundCall
from techdocs_bridge.conditional import Conditions, Validators, range_applies
from techdocs_bridge.content_answer import Asking, ContentAnswer, ContentForm
from techdocs_bridge.content_parts import PartsAnswer
from techdocs_bridge.content_source import ContentSource
from techdocs_bridge.exchange import Exchange
from techdocs_bridge.missing_page import open_missing_page
from techdocs_bridge.ranges import requested_parts
from techdocs_bridge.refusals import defect, range_not_satisfiable
from techdocs_bridge.site_pages import asks_for_page, site_path
from techdocs_bridge.status import HTTPProblem

# Limits of GetContentRequest.if_none_match.
_MAX_TAGS = 32
_MAX_TAG_LENGTH = 128


class ContentReader:
    """Answers requests for content."""

    def __init__(self, source: ContentSource) -> None:
        self._source = source

    async def answer(self, call: BoundCall, form: ContentForm, send: Send) -> None:
        """Answer one GET or HEAD. The request of the call has the entity, the path and perhaps the revision.

        Raises:
            HTTPProblem: the call failed; once something was sent, the answer is to be broken off.
        """
        asked = call.request
        if not isinstance(asked, docs_pb2.ReadContentRequest):
            raise defect(f"{call.method.full_name} has no form for content")
        request = docs_pb2.GetContentRequest(entity=asked.entity, path=asked.path, revision=asked.revision)
        asking = Asking(call.exchange, request, form, Conditions.of(call.exchange.headers))
        try:
            if not await self._answered_with_parts(call, asking, send):
                await self._answer_whole(call, asking, send)
        except HTTPProblem as problem:
            missing = problem.reason == "CONTENT_NOT_FOUND" and not call.exchange.status
            if not (form.is_site and missing and asks_for_page(call.exchange, request.path)):
                raise
            await self._send_not_found_page(call, asking, problem, send)

    async def _answer_whole(self, call: BoundCall, asking: Asking, send: Send) -> None:
        request = _request(asking, codings=_codings(call.exchange), tags=asking.conditions.if_none_match)
        async with self._source.open(request, call.context) as opened:
            await ContentAnswer(asking, opened).send(send)

    async def _answered_with_parts(self, call: BoundCall, asking: Asking, send: Send) -> bool:
        """Answer a request with a range, if that is to be answered with parts, or without any content.

        The parts are of the content itself, never of an encoded one, and of the revision that they were decided on.
        Where that is gone by then, they are decided anew, once.
        """
        header = _range_header(call.exchange)
        if header is None:
            return False
        try:
            return await self._try_parts(header, call, asking, send)
        except HTTPProblem as problem:
            if problem.reason != "REVISION_NOT_FOUND" or asking.request.revision or call.exchange.status:
                raise
        return await self._try_parts(header, call, asking, send)

    async def _try_parts(self, header: str, call: BoundCall, asking: Asking, send: Send) -> bool:
        look = _request(asking, tags=asking.conditions.if_none_match)
        look.view = docs_pb2.CONTENT_VIEW_INFO
        async with self._source.open(look, call.context) as looked:
            answer = ContentAnswer(asking, looked)
        if await answer.sent_without_content(send):
            return True
        if not _range_applies(call.exchange, asking.conditions, answer.validators):
            return False
        size = looked.head.info.size_bytes
        parts = requested_parts(header, size)
        if parts is None:
            return False
        if not parts:
            raise range_not_satisfiable(size)
        await PartsAnswer(self._source, call.context, looked, look).send(parts, answer, send)
        return True

    async def _send_not_found_page(self, call: BoundCall, asking: Asking, problem: HTTPProblem, send: Send) -> None:
        """Send the site's own page for what it does not have, of the revision that was searched."""
        page = docs_pb2.GetContentRequest(entity=asking.request.entity, revision=problem.metadata.get("revision", ""))
        where = site_path(call.exchange, page.entity)
        try:
            async with open_missing_page(self._source, page, call.context, site_path=where) as opened:
                await ContentAnswer(asking, opened, status=404).send(send)
        except HTTPProblem:
            if call.exchange.status:
                raise
            # What was asked for is not there, whatever is wrong with the page that would say so more nicely.
            raise problem from None


def _request(asking: Asking, *, codings: Sequence[Coding] = (), tags: Sequence[str] = ()) -> docs_pb2.GetContentRequest:
    request = docs_pb2.GetContentRequest()
    request.CopyFrom(asking.request)
    request.accept_encodings.extend(codings)
    request.if_none_match.extend([tag for tag in tags if len(tag) <= _MAX_TAG_LENGTH][:_MAX_TAGS])
    if asking.exchange.method == "HEAD":
        request.view = docs_pb2.CONTENT_VIEW_INFO
    return request


def _codings(exchange: Exchange) -> Sequence[Coding]:
    return accepted_codings(", ".join(exchange.headers.getlist("accept-encoding")))


def _range_header(exchange: Exchange) -> str | None:
    """Return the Range header of a GET; several of them say nothing (RFC 9110, sections 5.3 and 14.2)."""
    headers = exchange.headers.getlist("range")
    return headers[0] if len(headers) == 1 and exchange.method == "GET" else None


def _range_applies(exchange: Exchange, conditions: Conditions, found: Validators) -> bool:
    return range_applies(
        exchange.headers.get("if-range"), found, conditions.now, takes_codings=bool(_codings(exchange))
    )
