"""Path templates of google.api.http, and the request paths they match.

The grammar is the one in the comments of google/api/http.proto:

    Template = "/" Segments [ Verb ] ;
    Segments = Segment { "/" Segment } ;
    Segment  = "*" | "**" | LITERAL | Variable ;
    Variable = "{" FieldPath [ "=" Segments ] "}" ;
    Verb     = ":" LITERAL ;

A template is parsed once, into a flat row of segments and the slices of it that
variables capture. Which template wins, and what a verb is, is the business of
`routes`; how variables reach a message is the business of `binding`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from techdocs_bridge.transcoding.openapi_path import OpenAPIPath, openapi_path
from techdocs_bridge.transcoding.percent import PercentInvalid, decode

ONE = "*"
REST = "**"
# 1024 bytes of content path and 3 * 63 of an entity, all percent-encoded, are 3639; this is twice as much.
MAX_PATH_BYTES = 8192

_IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]*"
# RFC 3986's pchar without "*" and ":", which mean something here.
_LITERAL = r"(?:[A-Za-z0-9._~!$&'()+,;=@-]|%[0-9A-Fa-f]{2})+"
_PLAIN = rf"\*\*|\*|{_LITERAL}"
_SEGMENT = re.compile(
    rf"\{{(?P<field>{_IDENTIFIER}(?:\.{_IDENTIFIER})*)(?:=(?P<inner>(?:{_PLAIN})(?:/(?:{_PLAIN}))*))?\}}|(?P<plain>{_PLAIN})"
)
_VERB = re.compile(_LITERAL)
# C0, DEL and C1: what Unicode calls control characters.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class TemplateInvalid(ValueError):
    """A path template breaks the grammar: a defect of the contract, found at start."""

    def __init__(self, template: str, problem: str) -> None:
        super().__init__(f"path template {template!r} {problem}")


class PathInvalid(ValueError):
    """A request path that no route may ever see. The message is a sentence and never quotes the path."""


def split_path(raw_path: bytes) -> list[str]:
    """Return the decoded segments of a request path as it came on the wire, without its query.

    Splits on ``/`` first and decodes each segment once, so that an encoded slash
    can never move a border. A trailing slash stays visible as a last empty
    segment: ``/a/b/`` gives ``["a", "b", ""]`` and ``/`` gives ``[""]``.

    Raises `PathInvalid` when the path does not begin with a slash, is longer than
    `MAX_PATH_BYTES`, has an empty, ``.`` or ``..`` segment, a broken escape, bytes
    that are not UTF-8, or a slash, backslash or control character in a segment,
    whether written plainly or percent-encoded.
    """
    if not raw_path.startswith(b"/"):
        raise PathInvalid("The path must begin with a slash.")
    if len(raw_path) > MAX_PATH_BYTES:
        raise PathInvalid(f"The path is longer than {MAX_PATH_BYTES} bytes.")
    *inner, last = raw_path[1:].split(b"/")
    segments = [_segment(raw) for raw in inner]
    segments.append(_segment(last) if last else "")
    return segments


def _segment(raw: bytes) -> str:
    if not raw:
        raise PathInvalid("The path has an empty segment (two slashes in a row).")
    try:
        text = decode(raw)
    except PercentInvalid as error:
        raise PathInvalid(f"The path {error}.") from None
    if text in (".", ".."):
        raise PathInvalid("The path has a segment that is . or .., plain or encoded.")
    if "/" in text:
        raise PathInvalid("The path has an encoded slash (%2F).")
    if "\\" in text:
        raise PathInvalid("The path has a backslash.")
    if _CONTROL.search(text):
        raise PathInvalid("The path has a control character.")
    return text


class Capture(NamedTuple):
    """The slice of a template's segments that one variable takes; no stop means all the rest."""

    field_path: str
    start: int
    stop: int | None


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """One parsed template. Make it with `parse`; the plain constructor trusts its arguments.

    Segments are decoded literals, `ONE` or `REST`; only the last may be `REST`.
    `literals` are their positions and texts: a literal may itself read ``*`` once decoded.
    """

    text: str
    segments: tuple[str, ...]
    literals: tuple[tuple[int, str], ...]
    captures: tuple[Capture, ...]
    verb: str
    is_open: bool
    """Whether it ends in ``**``, which takes any number of segments and a trailing slash."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a template. Raises `TemplateInvalid` naming the rule that it breaks."""
        head, colon, verb = text.partition(":")
        if colon and not _VERB.fullmatch(verb):
            raise TemplateInvalid(text, "must have a literal verb after its colon, at its end")
        segments, captures = _flatten(text, head)
        if REST in segments[:-1]:
            raise TemplateInvalid(text, "may have ** as its last segment only")
        fields = [capture.field_path for capture in captures]
        if len(set(fields)) != len(fields):
            raise TemplateInvalid(text, "binds a variable twice")
        literals = {at: _literal(text, raw) for at, raw in enumerate(segments) if raw not in (ONE, REST)}
        decoded = tuple(literals.get(at, segment) for at, segment in enumerate(segments))
        return cls(text, decoded, tuple(literals.items()), tuple(captures), verb, segments[-1] == REST)

    @property
    def variables(self) -> tuple[str, ...]:
        """Field paths that a match binds, in the order of the template."""
        return tuple(capture.field_path for capture in self.captures)

    @property
    def shape(self) -> str:
        """The template without variable names: two templates of one shape match the same paths."""
        return "/" + "/".join(self.segments) + (f":{self.verb}" if self.verb else "")

    @property
    def specificity(self) -> tuple[int, ...]:
        """Sort key, most specific first: at the first difference a literal beats ``*`` beats ``**``."""
        literals = dict(self.literals)
        return tuple(0 if at in literals else 2 if segment == REST else 1 for at, segment in enumerate(self.segments))

    @property
    def openapi(self) -> OpenAPIPath:
        """The path as an OpenAPI document writes it, and its parameters."""
        literals = dict(self.literals)
        wildcards = [at for at in range(len(self.segments)) if at not in literals]
        return openapi_path(self.segments, wildcards, self.captures, self.verb)

    def match(self, segments: Sequence[str], verb: str, *, any_case: bool = False) -> dict[str, str] | None:
        """Return the values of the variables, or None when the path is not of this template.

        `segments` are those of `split_path` without their verb, which comes apart.
        A trailing slash belongs to the value of a last ``**``; other templates
        match with and without one. ``any_case`` takes literals in any case of their
        letters; what variables capture stays as it is.
        """
        if verb != self.verb:
            return None
        real = len(segments) - 1 if segments and segments[-1] == "" else len(segments)
        if self.is_open:
            if real < len(self.segments) - 1:
                return None
        elif real != len(self.segments):
            return None
        for at, literal in self.literals:
            if segments[at] != literal and not (any_case and segments[at].lower() == literal.lower()):
                return None
        return {
            field: segments[start] if stop == start + 1 else "/".join(segments[start:stop])
            for field, start, stop in self.captures
        }


def _flatten(text: str, head: str) -> tuple[list[str], list[Capture]]:
    segments: list[str] = []
    captures: list[Capture] = []
    at = 0
    while at < len(head) or not segments:
        found = _SEGMENT.match(head, at + 1) if head.startswith("/", at) else None
        if found is None:
            raise TemplateInvalid(text, f"is not made of /-separated segments at offset {at}")
        inner = found["plain"] or found["inner"] or ONE
        start = len(segments)
        segments.extend(inner.split("/"))
        if found["field"]:
            captures.append(Capture(found["field"], start, None if segments[-1] == REST else len(segments)))
        at = found.end()
    return segments, captures


def _literal(text: str, raw: str) -> str:
    try:
        return decode(raw.encode())
    except PercentInvalid:
        raise TemplateInvalid(text, f"has a literal that is not UTF-8: {raw}") from None
