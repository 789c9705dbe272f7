"""YAML of unknown authors as JSON values, within bounds.

Plain scalars mean what they mean in YAML 1.2's core schema, as in Backstage:
``yes``, dates and ``12:30`` are text. Numbers that JSON readers would change are
text too. Documents are built from the event stream without recursion; an alias
counts as large as what it stands for, so a short file cannot become a huge value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

MAX_DEPTH = 64
MAX_NODES = 50_000

# libyaml where PyYAML has it: ten times faster, the same events.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_PREFIXED_INT = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
# Every integer up to here is exact in a double, which is what JSON readers use.
_MAX_INT = 2**53
_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = frozenset({_TAG + name for name in ("null", "bool", "int", "float")})
_ALLOWED_TAGS = _PLAIN_TAGS | {None, "!", _TAG + "str", _TAG + "map", _TAG + "seq"}


@dataclass(frozen=True, slots=True)
class Document:
    """A document: where it begins, counted from 1, and its JSON value."""

    line: int
    value: object


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A document that is not usable. ``ends_file`` when nothing after it could be read either."""

    line: int
    message: str
    ends_file: bool


class _Refused(Exception):
    """This document breaks a rule; ``found`` says which."""

    def __init__(self, event: yaml.Event, message: str) -> None:
        super().__init__(message)
        self.found = Unreadable(_line(event), message, ends_file=False)


def read_documents(text: str) -> Iterator[Document | Unreadable]:
    """Yield every document of a text in order. Never raises for what the text holds."""
    try:
        yield from _documents(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = ": ".join(part for part in (error.context, error.problem) if part)
        yield Unreadable(mark.line + 1 if mark else 1, f"not YAML: {message}", ends_file=True)
    except yaml.YAMLError as error:
        yield Unreadable(1, f"not YAML: {' '.join(str(error).split())}", ends_file=True)


def _documents(events: Iterator[yaml.Event]) -> Iterator[Document | Unreadable]:
    builder = _Builder()
    refused: Unreadable | None = None
    line, depth = 1, 0
    for event in events:
        depth += _depth_change(event)
        if depth > MAX_DEPTH:
            # Reading on is no option: the scanner's time grows with the square of the depth.
            yield Unreadable(_line(event), f"nested deeper than {MAX_DEPTH} levels", ends_file=True)
            return
        if isinstance(event, yaml.DocumentStartEvent):
            builder, refused, line = _Builder(), None, _line(event)
        elif isinstance(event, yaml.DocumentEndEvent):
            yield refused or Document(line, builder.value)
        elif refused is None:
            refused = _problem_of_taking(builder, event)


def _problem_of_taking(builder: _Builder, event: yaml.Event) -> Unreadable | None:
    try:
        builder.take(event)
    except _Refused as error:
        return error.found
    return None


def _line(event: yaml.Event) -> int:
    mark = event.start_mark
    return mark.line + 1 if mark else 1


def _depth_change(event: yaml.Event) -> int:
    if isinstance(event, yaml.CollectionStartEvent):
        return 1
    return -1 if isinstance(event, yaml.CollectionEndEvent) else 0


@dataclass(slots=True)
class _Open:
    """A list or mapping that has not ended. ``key`` waits for its value."""

    value: list[object] | dict[str, object]
    anchor: str | None
    first_node: int
    key: str | None = None


class _Builder:
    """Builds the value of one document out of its events."""

    def __init__(self) -> None:
        self.value: object = None
        self._open: list[_Open] = []
        # Value and number of nodes of everything that an alias may name.
        self._anchors: dict[str, tuple[object, int]] = {}
        self._nodes = 0

    def take(self, event: yaml.Event) -> None:
        """Take the next event of the document. Raises `_Refused`."""
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
            self._start(event)
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            self._end()

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._count(event, 1)
        _check_tag(event, event.tag)
        if event.anchor:
            self._anchors[event.anchor] = (_scalar_value(event), 1)
        if self._wants_key():
            self._set_key(event, event.value)
        else:
            self._place(_scalar_value(event))

    def _alias(self, event: yaml.AliasEvent) -> None:
        if event.anchor not in self._anchors:
            raise _Refused(event, f"the alias *{event.anchor} stands before or inside what it names")
        value, nodes = self._anchors[event.anchor]
        self._count(event, nodes)
        if not self._wants_key():
            self._place(value)
        elif isinstance(value, str):
            self._set_key(event, value)
        else:
            raise _Refused(event, "the key of a mapping must be text")

    def _start(self, event: yaml.SequenceStartEvent | yaml.MappingStartEvent) -> None:
        self._count(event, 1)
        _check_tag(event, event.tag)
        if self._wants_key():
            raise _Refused(event, "the key of a mapping must be text")
        value: list[object] | dict[str, object] = [] if isinstance(event, yaml.SequenceStartEvent) else {}
        self._open.append(_Open(value, event.anchor, self._nodes - 1))

    def _end(self) -> None:
        ended = self._open.pop()
        if ended.anchor:
            self._anchors[ended.anchor] = (ended.value, self._nodes - ended.first_node)
        self._place(ended.value)

    def _place(self, value: object) -> None:
        if not self._open:
            self.value = value
            return
        parent = self._open[-1]
        if isinstance(parent.value, list):
            parent.value.append(value)
        elif parent.key is not None:
            parent.value[parent.key] = value
            parent.key = None

    def _wants_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].value, dict) and self._open[-1].key is None

    def _set_key(self, event: yaml.Event, key: str) -> None:
        if key in self._open[-1].value:
            raise _Refused(event, f"the key {key!r} stands twice in one mapping")
        self._open[-1].key = key

    def _count(self, event: yaml.Event, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise _Refused(event, f"larger than {MAX_NODES} values, aliases counted with what they stand for")


def _check_tag(event: yaml.Event, tag: str | None) -> None:
    if tag not in _ALLOWED_TAGS:
        raise _Refused(event, f"the tag {tag} is not supported")


def _scalar_value(event: yaml.ScalarEvent) -> object:
    text: str = event.value
    is_plain = event.implicit[0] if event.tag is None else event.tag in _PLAIN_TAGS
    return plain_value(text) if is_plain else text


def plain_value(text: str) -> object:
    """Return what an unquoted scalar means: None, a bool, a number that JSON keeps exactly, or the text itself."""
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text.lower() == "true"
    if _INT.fullmatch(text) or _PREFIXED_INT.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


def _integer(text: str) -> int | str:
    # Twenty characters hold every number within the limit; int() refuses thousands of digits.
    if len(text) > 20:
        return text
    number = int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    return number if abs(number) <= _MAX_INT else text
