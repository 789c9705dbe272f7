"""Pages and assets: what a request of HTTP asks ReadContent, and what is done when the answer is no.

How an answer looks is the business of `content_answer`.
"""

from __future__ import annotations

from starlette.types import Send
from techdocs.v1 import docs_pb2

from techdocs_bridge.bound_call import BoundCall
from techdocs_bridge.client import ServerClient, ServerStream
from techdocs_bridge.conditional import ByteRange, byte_range, entity_tags
from techdocs_bridge.content_answer import ContentAnswer, ContentForm
from techdocs_bridge.refusals import defect
from techdocs_bridge.site_pages import asks_for_page
from techdocs_bridge.status import HTTPProblem

_NOT_FOUND_PAGE = "404.html"
# Limits of ReadContentRequest.if_none_match.
_MAX_TAGS = 32
_MAX_TAG_LENGTH = 128


class ContentReader:
    """Answers requests for content."""

    def __init__(self, client: ServerClient) -> None:
        self._client = client

    async def answer(self, call: BoundCall, form: ContentForm, send: Send) -> None:
        """Answer one GET or HEAD. The request of the call has the entity, the path and perhaps the revision.

        Raises:
            HTTPProblem: the call failed; nothing was sent.
            ResponseAborted: the call failed after the answer began.
        """
        if not isinstance(call.request, docs_pb2.ReadContentRequest):
            raise defect(f"{call.method.full_name} has no form for content")
        request = docs_pb2.ReadContentRequest()
        request.CopyFrom(call.request)
        pinned = bool(request.revision)
        try:
            ranged = await self._apply_headers(call, request)
            with self._client.stream(call.method, request, call.context) as stream:
                answer = ContentAnswer(call.exchange, request, form, await _first(stream), pinned=pinned, ranged=ranged)
                await answer.send(stream, send)
        except HTTPProblem as problem:
            missing = problem.reason == "CONTENT_NOT_FOUND"
            if not (form.is_site and missing and asks_for_page(call.exchange, request.path)):
                raise
            await self._send_not_found_page(call, request, problem, form, send)

    async def _apply_headers(self, call: BoundCall, request: docs_pb2.ReadContentRequest) -> bool:
        """Put the conditions and the range of the HTTP request into that of the contract; say whether there is a range."""
        headers = call.exchange.headers
        tags = entity_tags(", ".join(headers.getlist("if-none-match")) or None)
        request.if_none_match.extend([tag for tag in tags if len(tag) <= _MAX_TAG_LENGTH][:_MAX_TAGS])
        if call.exchange.method == "HEAD":
            request.view = docs_pb2.CONTENT_VIEW_INFO
            return False
        wanted = byte_range(headers.get("range"))
        if wanted is None or not await self._range_applies(call, request, headers.get("if-range")):
            return False
        _set_range(request, wanted)
        return True

    async def _range_applies(self, call: BoundCall, request: docs_pb2.ReadContentRequest, if_range: str | None) -> bool:
        """Say whether If-Range lets the range stand (RFC 9110, section 13.1.5). Fixes the revision that was looked at."""
        if if_range is None:
            return True
        look = docs_pb2.ReadContentRequest(
            entity=request.entity, path=request.path, revision=request.revision, view=docs_pb2.CONTENT_VIEW_INFO
        )
        with self._client.stream(call.method, look, call.context) as stream:
            info = (await _first(stream)).info
        request.revision = info.revision
        # A weak tag never matches, nor does a date: content has no Last-Modified.
        return if_range.strip() == info.etag

    async def _send_not_found_page(
        self,
        call: BoundCall,
        request: docs_pb2.ReadContentRequest,
        problem: HTTPProblem,
        form: ContentForm,
        send: Send,
    ) -> None:
        """Send the site's own page for what it does not have, of the revision that was searched."""
        page = docs_pb2.ReadContentRequest(
            entity=request.entity,
            path=_NOT_FOUND_PAGE,
            revision=problem.metadata.get("revision", ""),
            view=request.view,
        )
        with self._client.stream(call.method, page, call.context) as stream:
            try:
                first = await _first(stream)
            except HTTPProblem:
                # What was asked for is not there, whatever is wrong with the page that would say so more nicely.
                raise problem from None
            await ContentAnswer(call.exchange, page, form, first, status=404).send(stream, send)


async def _first(stream: ServerStream) -> docs_pb2.ReadContentResponse:
    message = await stream.read()
    if not isinstance(message, docs_pb2.ReadContentResponse) or not message.HasField("info"):
        raise defect("ReadContent did not begin with info")
    return message


def _set_range(request: docs_pb2.ReadContentRequest, wanted: ByteRange) -> None:
    request.read_offset = wanted.offset
    request.read_limit = wanted.limit
