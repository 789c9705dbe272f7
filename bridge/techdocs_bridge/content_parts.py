"""Answers with parts of a content: one as it is, several as ``multipart/byteranges`` (RFC 9110, section 14.6).

All parts are of the revision that was looked at when the parts were decided, and each is opened when its turn comes:
no more than a chunk is held, however many there are and however large.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from starlette.types import Send
from techdocs.v1 import docs_pb2

from techdocs_bridge.client import CallContext
from techdocs_bridge.content_answer import ContentAnswer, checked, send_chunks
from techdocs_bridge.content_source import ContentSource, OpenedContent
from techdocs_bridge.ranges import Part
from techdocs_bridge.refusals import defect

_PARTIAL = 206


class PartsAnswer:
    """One answer with some parts, at least one, of a content."""

    def __init__(
        self, source: ContentSource, context: CallContext, looked: OpenedContent, path: docs_pb2.GetContentRequest
    ) -> None:
        """``looked`` is the content as it was when the parts were decided, ``path`` the request it was looked at with."""
        self._source = source
        self._context = context
        self._info = looked.head.info
        self._request = docs_pb2.GetContentRequest(
            entity=path.entity, path=self._info.path, revision=self._info.revision
        )

    async def send(self, parts: Sequence[Part], answer: ContentAnswer, send: Send) -> None:
        """Send them.

        Raises:
            HTTPProblem: they cannot be had; if something was sent before, the answer is broken off.
        """
        size = self._info.size_bytes
        if len(parts) == 1:
            headers = answer.headers(parts[0].length, content_range=parts[0].content_range(size))
            await send_chunks(send, _PARTIAL, headers, self._bytes(parts[0]))
            return
        # 128 random bits: no content has it, whoever wrote the content.
        boundary = secrets.token_hex(16)
        heads = [
            _head(boundary, answer.media_type, part.content_range(size), is_first=n == 0)
            for n, part in enumerate(parts)
        ]
        end = f"\r\n--{boundary}--\r\n".encode()
        length = sum(map(len, heads)) + sum(part.length for part in parts) + len(end)
        headers = answer.headers(length, content_type=f"multipart/byteranges; boundary={boundary}")
        await send_chunks(send, _PARTIAL, headers, self._framed(parts, heads, end))

    async def _framed(self, parts: Sequence[Part], heads: Sequence[bytes], end: bytes) -> AsyncGenerator[bytes]:
        for part, head in zip(parts, heads, strict=True):
            yield head
            async with aclosing(self._bytes(part)) as chunks:
                async for chunk in chunks:
                    yield chunk
        yield end

    async def _bytes(self, part: Part) -> AsyncGenerator[bytes]:
        request = docs_pb2.GetContentRequest()
        request.CopyFrom(self._request)
        request.read_offset, request.read_limit = part.offset, part.length
        async with self._source.open(request, self._context) as opened:
            if opened.etag != self._info.etag or (opened.head.range.offset, opened.length) != (
                part.offset,
                part.length,
            ):
                raise defect("a part of a content is not what was asked for")
            async for chunk in checked(opened):
                yield chunk


def _head(boundary: str, media_type: str, content_range: str, *, is_first: bool) -> bytes:
    lines = (f"--{boundary}", f"content-type: {media_type}", f"content-range: {content_range}", "", "")
    return ("" if is_first else "\r\n").encode() + "\r\n".join(lines).encode("latin-1")
