"""The shapes that values of a configuration may have, put together from small readers."""

from __future__ import annotations

import re
from collections.abc import Mapping

from techdocs_server.sandbox.config.nodes import ListNode, MapNode, Node, Scalar, Tagged, describe
from techdocs_server.sandbox.config.reading import Reader, Spot, Unfit, kept

# Long enough for a copyright notice with markup.
MAX_TEXT = 20_000

Reason = tuple[str, str]
"""Why an option is not allowed ("runs commands") and what to do instead (may be empty)."""

_TAG_ADVICE: Mapping[str, str] = {
    "!ENV": "write the value itself, builds see no environment variables",
    "!include": "put the whole value in quotes: '!include ./path/mkdocs.yml'",
    "!relative": "it is allowed in 'base_path' of pymdownx.snippets only",
}


def text(node: Node, _spot: Spot) -> str:
    """Read a text of at most `MAX_TEXT` characters."""
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        raise expected("must be text", node, advice="put it in quotes" if isinstance(node, Scalar) else "")
    if len(node.value) > MAX_TEXT:
        raise Unfit(f"has more than {MAX_TEXT} characters", line=node.line)
    return node.value


def flag(node: Node, _spot: Spot) -> bool:
    """Read true or false."""
    if isinstance(node, Scalar) and isinstance(node.value, bool):
        return node.value
    raise expected("must be true or false", node)


def whole(lowest: int, highest: int) -> Reader:
    """Return a reader of whole numbers."""

    def read(node: Node, _spot: Spot) -> int:
        if isinstance(node, Scalar) and type(node.value) is int and lowest <= node.value <= highest:
            return node.value
        raise expected(f"must be a whole number from {lowest} to {highest}", node)

    return read


def matching(pattern: str, expectation: str) -> Reader:
    """Return a reader of texts that match a pattern as a whole."""
    compiled = re.compile(pattern)

    def read(node: Node, spot: Spot) -> str:
        value = text(node, spot)
        if not compiled.fullmatch(value):
            raise Unfit(f"must be {expectation}", line=node.line)
        return value

    return read


# What names something: a style, a class, a language. No path, no module, no markup.
word = matching(r"[A-Za-z0-9_][A-Za-z0-9_ -]{0,99}", "a plain name of letters, digits, '-' and '_'")


def constant(*values: str) -> Reader:
    """Return a reader that takes these texts only."""

    def read(node: Node, _spot: Spot) -> object:
        if isinstance(node, Scalar) and isinstance(node.value, str) and node.value in values:
            return node.value
        raise expected(f"must be {' or '.join(values)}", node)

    return read


def only(value: bool, reason: Reason) -> Reader:  # noqa: FBT001 - the value is what the reader is about
    """Return a reader that takes this value only, and gives a reason for refusing the other one."""

    def read(node: Node, _spot: Spot) -> bool:
        if isinstance(node, Scalar) and node.value is value:
            return value
        if isinstance(node, Tagged):
            raise expected("", node)
        why, instead = reason
        raise Unfit(why, line=node.line, instead=instead, is_refused=True)

    return read


def scalar(node: Node, _spot: Spot) -> object:
    """Read any single value: a text, a number, true, false, nothing."""
    if isinstance(node, Scalar):
        if len(node.text) > MAX_TEXT:
            raise Unfit(f"has more than {MAX_TEXT} characters", line=node.line)
        return node.value
    raise expected("must be a single value", node)


def data(node: Node, spot: Spot) -> object:
    """Read values of any shape; tags inside are left out."""
    if isinstance(node, ListNode):
        return [value for item in node.items for value in kept(data, item, spot)]
    if isinstance(node, MapNode):
        return {
            entry.key.value: value
            for entry in node.entries
            for value in kept(data, entry.node, spot.under(entry.key.text))
        }
    return scalar(node, spot)


def data_with(fields: Mapping[str, Reader]) -> Reader:
    """Return a reader of options of any shape, some of which have a reader of their own."""

    def read(node: Node, spot: Spot) -> dict[object, object]:
        if not isinstance(node, MapNode):
            raise expected("must be options and their values", node)
        return {
            entry.key.value: value
            for entry in node.entries
            for value in kept(fields.get(entry.key.text, data), entry.node, spot.under(entry.key.text))
        }

    return read


def list_of(reader: Reader, *, or_one: bool = False) -> Reader:
    """Return a reader of lists; items that do not fit are left out. ``or_one`` takes a single item, too."""

    def read(node: Node, spot: Spot) -> object:
        if not isinstance(node, ListNode):
            if or_one:
                return reader(node, spot)
            raise expected("must be a list", node)
        return [value for item in node.items for value in kept(reader, item, spot)]

    return read


def either(*readers: Reader) -> Reader:
    """Return a reader that takes what one of several takes; the last one's objection counts."""

    def read(node: Node, spot: Spot) -> object:
        for reader in readers[:-1]:
            try:
                return reader(node, spot)
            except Unfit:
                continue
        return readers[-1](node, spot)

    return read


def record(fields: Mapping[str, Reader], *, reasons: Mapping[str, Reason] | None = None) -> Reader:
    """Return a reader of options by name; others, and those that do not fit, are left out.

    ``reasons`` tells of options that are known and not allowed.
    """
    told = reasons or {}

    def read(node: Node, spot: Spot) -> dict[str, object]:
        if not isinstance(node, MapNode):
            raise expected("must be options and their values", node)
        values: dict[str, object] = {}
        for entry in node.entries:
            name, place = entry.key.text, spot.under(entry.key.text)
            reader = fields.get(name)
            if reader is not None:
                values.update((name, value) for value in kept(reader, entry.node, place))
            elif name in told:
                why, instead = told[name]
                place.left_out(why, entry.key.line, instead=instead)
            else:
                place.left_out("is not an allowed option", entry.key.line, instead=_allowed(fields))
        return values

    return read


def nothing_or(reader: Reader) -> Reader:
    """Return a reader that takes null, too."""

    def read(node: Node, spot: Spot) -> object:
        return None if isinstance(node, Scalar) and node.value is None else reader(node, spot)

    return read


def expected(what: str, node: Node, *, advice: str = "") -> Unfit:
    """Return the objection that a value is of another kind than the one that stands there."""
    if isinstance(node, Tagged):
        return Unfit(
            f"uses {node.tag}, which is not allowed there",
            line=node.line,
            instead=_TAG_ADVICE.get(node.tag, "write a plain value"),
            is_refused=True,
        )
    return Unfit(f"{what}, not {describe(node)}", line=node.line, instead=advice)


def _allowed(fields: Mapping[str, Reader]) -> str:
    return f"allowed are: {', '.join(sorted(fields))}" if fields else "it has no options that are allowed"
