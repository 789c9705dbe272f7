"""One answer while it is given by the usual way: is it one to keep, and what is it?

The calls to the server that are made for an answer say what it rests on. An answer is kept only when all of them were
about one revision of one site, the current one, and the server said for whom and how long it holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.message import Message as ProtoMessage
from starlette.types import Message
from techdocs.v1 import docs_pb2

from techdocs_bridge.conditional import last_modified_second
from techdocs_bridge.page_cache.access_decisions import AccessDecisions, Part
from techdocs_bridge.page_cache.answer_store import Answer, Key
from techdocs_bridge.page_cache.currency import SiteCurrency, Ticket

MAX_BODY_BYTES = 4 * 1024 * 1024
"""Of one answer; the search index of a site with a thousand pages has some 3 MiB."""
MAX_RECORDED_BYTES = 32 * 1024 * 1024
"""Of all answers that are being given at once. What is over it is given and not kept."""
_OWN_HEADERS = frozenset({b"x-request-id"})
_UNREPEATED_HEADERS = frozenset({b"connection", b"set-cookie"})
_KEPT_STATUSES = frozenset({200, 304})


@dataclass(slots=True)
class _Basis:
    """What an answer rests on."""

    ticket: Ticket
    revision: str
    part: Part
    valid_seconds: float
    anyone: bool


class RecordingBudget:
    """The bytes that all recordings together may hold."""

    def __init__(self, max_bytes: int = MAX_RECORDED_BYTES) -> None:
        self._left = max_bytes

    def take(self, count: int) -> bool:
        """Take some bytes, or none and return False when there are not as many left."""
        if count > self._left:
            return False
        self._left -= count
        return True

    def give_back(self, count: int) -> None:
        """Give bytes back."""
        self._left += count


class Recording:
    """What becomes of one request. Made for requests that could be answered from memory the next time."""

    def __init__(
        self, key: Key, credential: bytes, budget: RecordingBudget, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.key = key
        self.credential = credential
        self.begin_time = datetime.now(UTC)
        """Before anything of the answer was decided by the time."""
        self._began = clock()
        self._budget = budget
        self._basis: _Basis | None = None
        self._is_refused = False
        self._status = 0
        self._headers: Sequence[tuple[bytes, bytes]] = ()
        self._chunks: list[bytes] = []
        self._size = 0
        self._is_whole = False

    def rest_on(
        self, ticket: Ticket | None, revision: str, access: docs_pb2.AnswerScope, *, part: Part, is_pinned: bool
    ) -> None:
        """Note a call that the answer was made of. ``is_pinned`` is whether it asked for a revision by its id."""
        basis = self._basis
        if is_pinned:
            # What is too large for one message is asked for again by the revision of the first answer.
            self._is_refused |= basis is None or basis.revision != revision
        elif ticket is None or basis is not None or not access.followed or not access.HasField("valid_for"):
            self._is_refused = True
        else:
            valid_seconds = access.valid_for.seconds + access.valid_for.nanos / 1e9
            self._basis = _Basis(ticket, revision, part, valid_seconds, access.anyone)

    def refuse(self) -> None:
        """Keep nothing: something else was called for it."""
        self._is_refused = True

    def sent(self, message: Message) -> None:
        """Note a message of the answer."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = [pair for pair in message.get("headers", ()) if pair[0] not in _OWN_HEADERS]
            self._is_refused |= self._status not in _KEPT_STATUSES
        elif not self._is_refused:
            self._take(message.get("body", b""))
            self._is_whole = not message.get("more_body", False)

    def keep(self, currency: SiteCurrency, decisions: AccessDecisions, *, route: str) -> None:
        """Keep the answer, and what was decided about the caller, where that is allowed."""
        basis = self._basis
        if basis is None or self._is_refused or not self._is_whole:
            return
        etag = next((value.decode("latin-1") for name, value in self._headers if name == b"etag"), "")
        if not etag or any(name in _UNREPEATED_HEADERS for name, _ in self._headers):
            return
        site = basis.ticket.site
        body = b"".join(self._chunks)
        answer = Answer(site, basis.part, self._status, self._headers, etag, body, route)
        if currency.keep(basis.ticket, basis.revision, self.key, answer):
            until = self._began + basis.valid_seconds
            decisions.learn(self.credential, site, basis.part, until=until, anyone=basis.anyone)

    def close(self) -> None:
        """Let go of the bytes."""
        self._budget.give_back(self._size)
        self._size = 0
        self._chunks.clear()

    def _take(self, chunk: bytes) -> None:
        if self._size + len(chunk) > MAX_BODY_BYTES or not self._budget.take(len(chunk)):
            self._is_refused = True
            self.close()
        elif chunk:
            self._size += len(chunk)
            self._chunks.append(chunk)


current_recording: ContextVar[Recording | None] = ContextVar("current_recording", default=None)
"""The recording of the request that is being answered in this task, and in tasks made by it."""


def resting_on(message: ProtoMessage) -> tuple[str, docs_pb2.AnswerScope] | None:
    """Return the revision and the scope of an answer that shows part of a site; None for another message."""
    if isinstance(message, docs_pb2.GetContentResponse):
        return message.info.revision, message.access
    if isinstance(message, docs_pb2.ReadContentResponse):
        return (message.info.revision, message.access) if message.HasField("info") else None
    if isinstance(message, docs_pb2.GetSiteMetadataResponse):
        return message.revision, message.access
    return None


def is_settled(message: ProtoMessage, now: datetime) -> bool:
    """Return whether the same answer would be made later too.

    In the second of a publish it has no Last-Modified yet (see `last_modified_second`); afterwards it does.
    """
    if not isinstance(message, docs_pb2.GetContentResponse | docs_pb2.ReadContentResponse):
        return True
    info = message.info
    return not info.HasField("last_modified") or last_modified_second(info.last_modified.ToDatetime(UTC)) <= now
