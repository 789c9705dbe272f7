"""A configuration as plain values that know their lines."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

Plain = str | int | float | bool | datetime.date | None


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value; ``text`` is how the author wrote it."""

    value: Plain
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class ListNode:
    """A list."""

    items: tuple[Node, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a mapping and its value."""

    key: Scalar
    node: Node


@dataclass(frozen=True, slots=True)
class MapNode:
    """A mapping in its order, every key once, merge keys resolved."""

    entries: tuple[Entry, ...]
    line: int

    def get(self, key: str) -> Node | None:
        """Return the value of a key, or None."""
        return next((entry.node for entry in self.entries if entry.key.value == key), None)


@dataclass(frozen=True, slots=True)
class Tagged:
    """A value with a tag that is not one of YAML's own plain types; nothing was made of it.

    ``tag`` is as authors write it (``!ENV``, ``!!python/name:x.y``); ``content``
    is the value below the tag.
    """

    tag: str
    content: Node
    line: int


Node = Scalar | ListNode | MapNode | Tagged


def describe(node: Node) -> str:
    """Name a value's type for an author."""
    if isinstance(node, Tagged):
        return f"the tag {node.tag}"
    if isinstance(node, ListNode):
        return "a list"
    if isinstance(node, MapNode):
        return "options and their values"
    return _SCALAR_NAMES.get(type(node.value), "a date")


_SCALAR_NAMES: dict[type, str] = {
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "nothing",
}
