"""Conditions of a request, read and evaluated as RFC 9110 says: sections 8.8, 13.1 and 13.2.2.

A header that breaks its grammar is as good as absent, with one exception: If-Match guards something, and one that
cannot be read holds for no content.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from starlette.datastructures import Headers

from techdocs_bridge.http_dates import parse_http_date

_ENTITY_TAG = re.compile(r'(?P<weak>W/)?(?P<tag>"[\x21\x23-\x7e\x80-\xff]*")')


def entity_tags(header: str | None) -> tuple[str, ...]:
    """Return the tags of If-None-Match as strong ones: it compares weakly, so a ``W/`` says nothing. ``("*",)`` is any."""
    return tuple(tag for _, tag in _tags(header))


def none_match_fails(header: str | None, etag: str) -> bool:
    """Return whether If-None-Match holds ``etag``, so that the client's copy is current."""
    held = entity_tags(header)
    return "*" in held or etag.removeprefix("W/") in held


def last_modified_second(moment: datetime) -> datetime:
    """Return the second that Last-Modified tells of a moment: the one that begins at it, or after it.

    It is only told when it has come. Then nothing can become other in it any more, and so the date is a strong
    validator (section 8.8.2.2), which a moment cut to its second is not.
    """
    whole = moment.replace(microsecond=0)
    return whole if whole == moment else whole + timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Validators:
    """What is known of the content that would be sent."""

    etags: Collection[str]
    """Strong tags of the representations that may be sent, without those that were not looked for."""
    last_modified: datetime | None
    """As `last_modified_second` has it."""


class Outcome(enum.Enum):
    """What the conditions make of a request."""

    PROCEED = enum.auto()
    NOT_MODIFIED = enum.auto()
    FAILED = enum.auto()


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions of one request, If-None-Match as tags of the contract."""

    if_match: str | None
    if_unmodified_since: datetime | None
    has_if_none_match: bool
    if_none_match: tuple[str, ...]
    if_modified_since: datetime | None
    now: datetime

    @classmethod
    def of(cls, headers: Headers, now: datetime | None = None) -> Self:
        """Read them. Dates that are not there, or are none, are None."""
        at = now or datetime.now(UTC)
        return cls(
            if_match=_joined(headers, "if-match"),
            if_unmodified_since=parse_http_date(headers.get("if-unmodified-since"), at),
            has_if_none_match="if-none-match" in headers,
            if_none_match=entity_tags(_joined(headers, "if-none-match")),
            if_modified_since=parse_http_date(headers.get("if-modified-since"), at),
            now=at,
        )

    def evaluate(self, found: Validators, *, is_held: bool) -> Outcome:
        """Say what becomes of a GET or HEAD that would be answered with 200, in the order of section 13.2.2.

        ``is_held`` is whether If-None-Match names a representation, which is decided where that is selected.
        """
        if self._guard_fails(found):
            return Outcome.FAILED
        if is_held or self._is_unmodified(found):
            return Outcome.NOT_MODIFIED
        return Outcome.PROCEED

    def _guard_fails(self, found: Validators) -> bool:
        if self.if_match is not None:
            tags = _tags(self.if_match)
            return not any(tag == "*" or (not weak and tag in found.etags) for weak, tag in tags)
        since, modified = self.if_unmodified_since, found.last_modified
        return since is not None and modified is not None and modified > since

    def _is_unmodified(self, found: Validators) -> bool:
        since, modified = self.if_modified_since, found.last_modified
        if self.has_if_none_match or since is None or modified is None or since > self.now:
            return False
        return modified <= since


def range_applies(if_range: str | None, found: Validators, now: datetime, *, takes_codings: bool) -> bool:
    """Say whether If-Range lets a range stand (section 13.1.5): ``found`` has the tag of what a range is a part of.

    A weak tag never does. A date does when it is exactly that of the content, and the client takes no codings: one that
    does may hold a part of an encoded content, which has the same date.
    """
    if if_range is None:
        return True
    if '"' in if_range:
        return if_range.strip() in found.etags
    since, modified = parse_http_date(if_range, now), found.last_modified
    return not takes_codings and since is not None and modified is not None and since == modified <= now


def _tags(header: str | None) -> list[tuple[str, str]]:
    """Return the tags of a list with what marks the weak ones."""
    if header is None:
        return []
    if header.strip() == "*":
        return [("", "*")]
    if _ENTITY_TAG.sub("", header).strip(", \t"):
        return []
    return _ENTITY_TAG.findall(header)


def _joined(headers: Headers, name: str) -> str | None:
    values = headers.getlist(name)
    return ", ".join(values) if values else None
