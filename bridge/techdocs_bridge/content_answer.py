"""One answer with content: its headers, and its bytes as they come.

An answer is complete only when its bytes ended well: one chunk is held back until the next, or the end, has come. So a
page of one chunk that turns out damaged is an error and not a page, and a longer one is broken off before its last
bytes.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC

from starlette.types import Send
from techdocs.v1 import docs_pb2

from techdocs_bridge.accept_encoding import CODING_NAMES
from techdocs_bridge.conditional import Conditions, Outcome, Validators, last_modified_second
from techdocs_bridge.content_source import OpenedContent
from techdocs_bridge.exchange import Exchange
from techdocs_bridge.http_dates import http_date
from techdocs_bridge.refusals import defect, precondition_failed
from techdocs_bridge.site_pages import directory_location, is_directory_url

Headers = Iterable[tuple[str, str]]

_REVALIDATED = "no-cache"
_IMMUTABLE = "max-age=31536000, immutable"  # 365 days, the longest that caches keep anything


@dataclass(frozen=True, slots=True)
class ContentForm:
    """How content looks under one path of the API."""

    media_type: Callable[[docs_pb2.ContentInfo], str]
    """The Content-Type of a file."""
    headers: Callable[[Exchange, docs_pb2.GetContentRequest, str], Headers]
    """Further headers, the same for a file and for the news that the client has it."""
    is_site: bool
    """Whether browsers show it as a site: directories get their slash and missing pages the site's own page."""


@dataclass(frozen=True, slots=True)
class Asking:
    """What an answer is an answer to."""

    exchange: Exchange
    request: docs_pb2.GetContentRequest
    form: ContentForm
    conditions: Conditions


class ContentAnswer:
    """One answer with a content that is there, or with the news that the client has it."""

    def __init__(self, asking: Asking, opened: OpenedContent, *, status: int = 200) -> None:
        """A ``status`` of 404 is for the page that says so: it is no version of what was asked for."""
        self._exchange = asking.exchange
        self._request = asking.request
        self._form = asking.form
        self._conditions = asking.conditions
        self._opened = opened
        self._info = opened.head.info
        self._status = status
        self._is_pinned = bool(asking.request.revision) and status == 200
        self._needs_slash = (
            asking.form.is_site
            and status == 200
            and is_directory_url(self._exchange, asking.request.path, self._info.path)
        )
        self.media_type = asking.form.media_type(self._info)
        """Content-Type of the whole."""
        self.validators = _validators(opened)
        """What conditions are compared with."""

    async def send(self, send: Send) -> None:
        """Send it, reading the content.

        Raises:
            HTTPProblem: the content cannot be had, or a condition fails (412); if something was sent before, the
                answer is broken off.
        """
        if await self.sent_without_content(send):
            return
        headers = self.headers(self._opened.length)
        if self._exchange.method == "HEAD":
            await _send_whole(send, self._status, headers)
        else:
            await send_chunks(send, self._status, headers, checked(self._opened))

    async def sent_without_content(self, send: Send) -> bool:
        """Send the answer if it has no content, and say whether it has none.

        Raises:
            HTTPProblem: a condition fails (412).
        """
        if self._needs_slash and self._exchange.headers.get("sec-fetch-mode") == "navigate":
            location = directory_location(self._exchange)
            headers = (
                ("location", location),
                ("cache-control", self._cache_control(_REVALIDATED)),
                ("content-length", "0"),
                ("vary", "sec-fetch-mode"),
            )
            await _send_whole(send, 308, headers)
            return True
        if self._status != 200:
            return False
        outcome = self._conditions.evaluate(self.validators, is_held=self._opened.head.not_modified)
        if outcome is Outcome.FAILED:
            raise precondition_failed()
        if outcome is Outcome.NOT_MODIFIED:
            await _send_whole(send, 304, [*self._form_headers(), *self._cache_headers()])
        return outcome is Outcome.NOT_MODIFIED

    def headers(
        self, length: int, *, content_type: str | None = None, content_range: str | None = None
    ) -> Sequence[tuple[str, str]]:
        """Return the headers of an answer with ``length`` bytes of body."""
        headers = [("content-type", content_type or self.media_type), ("content-length", str(length))]
        if self._opened.head.HasField("encoded"):
            headers.append(("content-encoding", CODING_NAMES[self._opened.head.encoded.encoding]))
        if content_range:
            headers.append(("content-range", content_range))
        headers.extend(self._form_headers())
        headers.extend(self._cache_headers())
        if self._status == 200:
            headers.append(("accept-ranges", "bytes"))
        return headers

    def _form_headers(self) -> Headers:
        return self._form.headers(self._exchange, self._request, self.media_type)

    def _cache_headers(self) -> Headers:
        """What 200, 206 and 304 have alike, and 404 in part."""
        yield "cache-control", self._cache_control(_IMMUTABLE if self._is_pinned else _REVALIDATED)
        yield "x-techdocs-revision", self._info.revision
        yield "vary", ", ".join(self._vary())
        if self._status == 200:
            yield "etag", self._opened.etag
            modified = self.validators.last_modified
            if modified is not None and modified <= self._conditions.now:
                yield "last-modified", http_date(modified)

    def _cache_control(self, directives: str) -> str:
        if self._opened.head.private:
            return f"private, {directives}"
        return f"public, {directives}" if directives == _IMMUTABLE else directives

    def _vary(self) -> Iterable[str]:
        yield "accept-encoding"
        if self._needs_slash:
            yield "sec-fetch-mode"
        if self._status == 404:
            yield "accept"


async def checked(opened: OpenedContent) -> AsyncGenerator[bytes]:
    """Yield the bytes of a content; raise `HTTPProblem` when they are more or fewer than announced."""
    left = opened.length
    async for chunk in opened.chunks:
        left -= len(chunk)
        if left < 0:
            raise defect("the content has more bytes than were announced")
        yield chunk
    if left:
        raise defect(f"the content ended {left} bytes early")


async def send_chunks(
    send: Send, status: int, headers: Sequence[tuple[str, str]], chunks: AsyncGenerator[bytes]
) -> None:
    """Send an answer whose body is ``chunks``. It begins when a chunk, and what follows it, is there."""
    held: bytes | None = None
    is_begun = False
    async with aclosing(chunks) as body:
        async for chunk in body:
            if held is not None:
                if not is_begun:
                    await send({"type": "http.response.start", "status": status, "headers": _raw(headers)})
                is_begun = True
                await send({"type": "http.response.body", "body": held, "more_body": True})
            held = chunk
    if not is_begun:
        await send({"type": "http.response.start", "status": status, "headers": _raw(headers)})
    await send({"type": "http.response.body", "body": held or b""})


def _validators(opened: OpenedContent) -> Validators:
    info = opened.head.info
    modified = info.last_modified.ToDatetime(UTC) if info.HasField("last_modified") else None
    return Validators(
        etags=frozenset((info.etag, opened.etag)),
        last_modified=None if modified is None else last_modified_second(modified),
    )


async def _send_whole(send: Send, status: int, headers: Iterable[tuple[str, str]]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": _raw(headers)})
    await send({"type": "http.response.body", "body": b""})


def _raw(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1")) for name, value in headers]
