"""One answer with content: its headers, and its bytes as they come.

An answer is complete only when the stream ended well: one message is held back until the next, or the end, has come.
So a page of one message that turns out damaged is an error and not a page, and a longer one is broken off before its
last bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from starlette.types import Send
from techdocs.v1 import docs_pb2

from techdocs_bridge.client import ServerStream
from techdocs_bridge.exchange import Exchange, ResponseAborted
from techdocs_bridge.refusals import defect
from techdocs_bridge.site_pages import directory_location, is_directory_url

Headers = Iterable[tuple[str, str]]

_REVALIDATED = "no-cache"
_IMMUTABLE = "public, max-age=31536000, immutable"  # 365 days, the longest that caches keep anything


@dataclass(frozen=True, slots=True)
class ContentForm:
    """How content looks under one path of the API."""

    media_type: Callable[[docs_pb2.ContentInfo], str]
    """The Content-Type of a file."""
    headers: Callable[[Exchange, docs_pb2.ReadContentRequest, str], Headers]
    """Further headers, the same for a file and for the news that the client has it."""
    is_site: bool
    """Whether browsers show it as a site: directories get their slash and missing pages the site's own page."""


class ContentAnswer:
    """One answer with content, or with the news that the client has it."""

    def __init__(
        self,
        exchange: Exchange,
        request: docs_pb2.ReadContentRequest,
        form: ContentForm,
        first: docs_pb2.ReadContentResponse,
        *,
        status: int = 200,
        pinned: bool = False,
        ranged: bool = False,
    ) -> None:
        self._exchange = exchange
        self._request = request
        self._form = form
        self._first = first
        self._pinned = pinned
        self._media_type = form.media_type(first.info)
        info = first.info
        part = first.range if first.HasField("range") else docs_pb2.ContentRange(length=info.size_bytes)
        self._offset, self._length = part.offset, part.length
        self._status = 206 if ranged and part.length else status
        self._needs_slash = form.is_site and status == 200 and is_directory_url(exchange, request.path, info.path)

    async def send(self, stream: ServerStream, send: Send) -> None:
        """Send it, reading what is left of the stream.

        Raises:
            HTTPProblem: the stream failed; when something was sent before, the answer is broken off.
            ResponseAborted: the stream had more or fewer bytes than it announced.
        """
        if self._needs_slash and self._exchange.headers.get("sec-fetch-mode") == "navigate":
            location = directory_location(self._exchange)
            headers = (("location", location), ("cache-control", _REVALIDATED), ("content-length", "0"), *self._vary())
            await _send_whole(send, 308, headers)
        elif self._first.not_modified:
            await stream.settle()
            await _send_whole(send, 304, [*self._form_headers(), *self._validators()])
        elif self._exchange.method == "HEAD":
            await stream.settle()
            await _send_whole(send, self._status, self._headers())
        else:
            await self._send_content(stream, send)

    async def _send_content(self, stream: ServerStream, send: Send) -> None:
        held, left = self._first.body.data, self._length
        while (message := await stream.read()) is not None:
            left = self._counted(held, left)
            await self._send_some(send, held)
            held = message.body.data if isinstance(message, docs_pb2.ReadContentResponse) else b""
        if self._counted(held, left):
            raise self._broken(f"ReadContent ended {left - len(held)} bytes early")
        await self._send_some(send, held, more=False)

    def _counted(self, chunk: bytes, left: int) -> int:
        if len(chunk) > left:
            raise self._broken("ReadContent sent more bytes than it announced")
        return left - len(chunk)

    def _broken(self, problem: str) -> Exception:
        return ResponseAborted(problem) if self._exchange.status else defect(problem)

    async def _send_some(self, send: Send, chunk: bytes, *, more: bool = True) -> None:
        if not self._exchange.status:
            await send({"type": "http.response.start", "status": self._status, "headers": _raw(self._headers())})
        await send({"type": "http.response.body", "body": chunk, "more_body": more})

    def _headers(self) -> Sequence[tuple[str, str]]:
        headers = [("content-type", self._media_type), ("content-length", str(self._length))]
        headers.extend(self._form_headers())
        headers.extend(self._validators())
        if self._status == 206:
            end = self._offset + self._length - 1
            headers.append(("content-range", f"bytes {self._offset}-{end}/{self._first.info.size_bytes}"))
        return headers

    def _form_headers(self) -> Headers:
        return self._form.headers(self._exchange, self._request, self._media_type)

    def _validators(self) -> Sequence[tuple[str, str]]:
        """What 200, 206 and 304 have alike, and 404 in part: its body is no version of what was asked for."""
        found = self._status != 404
        headers = [("cache-control", _IMMUTABLE if self._pinned and found else _REVALIDATED)]
        headers.append(("x-techdocs-revision", self._first.info.revision))
        if found:
            headers.extend((("etag", self._first.info.etag), ("accept-ranges", "bytes")))
        return [*headers, *self._vary()]

    def _vary(self) -> Sequence[tuple[str, str]]:
        if self._status == 404:
            return [("vary", "accept")]
        return [("vary", "sec-fetch-mode")] if self._needs_slash else []


async def _send_whole(send: Send, status: int, headers: Sequence[tuple[str, str]]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": _raw(headers)})
    await send({"type": "http.response.body", "body": b""})


def _raw(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1")) for name, value in headers]
