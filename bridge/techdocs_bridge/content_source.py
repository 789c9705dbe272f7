"""Where content comes from: one question, one answer, and its bytes as they are taken.

`ContentSource` is all that answering content needs to know of it. The one here asks the server; another may stand in
front of it and remember.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from techdocs.v1 import docs_pb2

from techdocs_bridge.client import CallContext, ServerClient, ServerStream
from techdocs_bridge.refusals import defect
from techdocs_bridge.status import HTTPProblem

UNARY_BYTES = 256 * 1024
"""Contents up to this size come in one message and are held whole, by a slow reader too. Larger ones are streamed."""

_METHODS = docs_pb2.DESCRIPTOR.services_by_name["DocsService"].methods_by_name
_GET = _METHODS["GetContent"]
_READ = _METHODS["ReadContent"]


@dataclass(frozen=True, slots=True)
class OpenedContent:
    """One answer with content.

    ``head`` says what it is, and has no bytes: info, encoded, range, private, not_modified. ``chunks`` yields the bytes,
    as many as `length`, unless the content was only asked about or is not modified: then none. It may be iterated
    once, and raises `HTTPProblem` when the bytes turn out not to be had. Bytes that were yielded are only good when
    those after them, or the end, came too.
    """

    head: docs_pb2.GetContentResponse
    chunks: AsyncIterator[bytes]

    @property
    def length(self) -> int:
        """Number of bytes: of the part, of the encoded content, or of the content itself."""
        if self.head.HasField("range"):
            return self.head.range.length
        return self.head.encoded.size_bytes if self.head.HasField("encoded") else self.head.info.size_bytes

    @property
    def etag(self) -> str:
        """Entity tag of the representation that was selected."""
        return self.head.encoded.etag if self.head.HasField("encoded") else self.head.info.etag


class ContentSource(Protocol):
    """Opens contents. Safe for any number of requests at once."""

    def open(
        self, request: docs_pb2.GetContentRequest, context: CallContext
    ) -> AbstractAsyncContextManager[OpenedContent]:
        """Open what a request asks for. Leaving the context gives up what was not read.

        ``max_data_bytes`` is the source's own business: an answer is never without its bytes. The call is made with
        the credentials in ``context``, and an answer is for who has them, unless it says that it is for everybody.

        Raises:
            HTTPProblem: the call failed.
        """
        ...


class ServerSource:
    """Asks the server: by one message for what is small, by a stream for what is not."""

    def __init__(self, client: ServerClient, *, unary_deadline_seconds: float) -> None:
        """``unary_deadline_seconds`` bounds calls for one message, when they have no shorter deadline."""
        self._client = client
        self._unary_deadline_seconds = unary_deadline_seconds

    @asynccontextmanager
    async def open(self, request: docs_pb2.GetContentRequest, context: CallContext) -> AsyncIterator[OpenedContent]:
        """See `ContentSource`."""
        if request.read_limit > UNARY_BYTES:
            async with self._streamed(request, context) as opened:
                yield opened
            return
        response = await self._get(request, context)
        if response.data_omitted:
            async with self._streamed_after(response, request, context) as opened:
                yield opened
            return
        data = response.body.data
        response.ClearField("body")
        yield OpenedContent(response, _one(data))

    async def _get(self, request: docs_pb2.GetContentRequest, context: CallContext) -> docs_pb2.GetContentResponse:
        asked = docs_pb2.GetContentRequest()
        asked.CopyFrom(request)
        asked.max_data_bytes = UNARY_BYTES
        deadline_seconds = min(context.deadline_seconds, self._unary_deadline_seconds)
        response = await self._client.call(_GET, asked, replace(context, deadline_seconds=deadline_seconds))
        if not isinstance(response, docs_pb2.GetContentResponse) or not response.HasField("info"):
            raise defect("GetContent has no info")
        return response

    @asynccontextmanager
    async def _streamed_after(
        self, omitted: docs_pb2.GetContentResponse, request: docs_pb2.GetContentRequest, context: CallContext
    ) -> AsyncIterator[OpenedContent]:
        """Stream what was too large, of the revision it was looked for in; of the newest one, when that is gone."""
        same = docs_pb2.GetContentRequest()
        same.CopyFrom(request)
        same.revision = omitted.info.revision
        async with AsyncExitStack() as opening:
            try:
                opened = await opening.enter_async_context(self._streamed(same, context))
            except HTTPProblem as problem:
                if problem.reason != "REVISION_NOT_FOUND" or request.revision:
                    raise
                opened = await opening.enter_async_context(self._streamed(request, context))
            yield opened

    @asynccontextmanager
    async def _streamed(
        self, request: docs_pb2.GetContentRequest, context: CallContext
    ) -> AsyncIterator[OpenedContent]:
        asked = docs_pb2.ReadContentRequest(
            entity=request.entity,
            path=request.path,
            revision=request.revision,
            if_none_match=request.if_none_match,
            read_offset=request.read_offset,
            read_limit=request.read_limit,
            view=request.view,
            accept_encodings=request.accept_encodings,
        )
        with self._client.stream(_READ, asked, context) as stream:
            first = await stream.read()
            if not isinstance(first, docs_pb2.ReadContentResponse) or not first.HasField("info"):
                raise defect("ReadContent did not begin with info")

            yield OpenedContent(_head(first), _chunks(first.body.data, stream))


def _head(first: docs_pb2.ReadContentResponse) -> docs_pb2.GetContentResponse:
    head = docs_pb2.GetContentResponse(info=first.info, not_modified=first.not_modified, private=first.private)
    if first.HasField("range"):
        head.range.CopyFrom(first.range)
    if first.HasField("encoded"):
        head.encoded.CopyFrom(first.encoded)
    return head


async def _chunks(first: bytes, stream: ServerStream) -> AsyncIterator[bytes]:
    if first:
        yield first
    del first
    while (message := await stream.read()) is not None:
        yield message.body.data if isinstance(message, docs_pb2.ReadContentResponse) else b""


async def _one(data: bytes) -> AsyncIterator[bytes]:
    if data:
        yield data
