"""``markdown_extensions``: a list or a mapping of names and options, both kept in their form."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from techdocs_server.sandbox.config.extension_options import EXTENSIONS, REASONS
from techdocs_server.sandbox.config.nodes import ListNode, MapNode, Node, Scalar
from techdocs_server.sandbox.config.reading import Spot, kept
from techdocs_server.sandbox.config.schema import expected, nothing_or, record

# The one class that documentation of TechDocs names; it is the extension itself.
_SAME = {"pymdownx.snippets:SnippetExtension": "pymdownx.snippets"}


def markdown_extensions(node: Node, spot: Spot) -> object:
    """Read the extensions; what is not on the list is left out. Raises `Unfit` when it is no list or mapping."""
    if isinstance(node, MapNode):
        return {
            name: options
            for entry in node.entries
            for name, options in _extension(entry.key.text, entry.key.line, entry.node, spot)
        }
    if not isinstance(node, ListNode):
        raise expected("must be a list", node)
    return [_item(name, options) for item in node.items for name, options in _listed(item, spot)]


def _item(name: str, options: object) -> object:
    return {name: options} if options else name


def _listed(item: Node, spot: Spot) -> Iterator[tuple[str, object]]:
    if isinstance(item, Scalar) and isinstance(item.value, str):
        yield from _extension(item.value, item.line, None, spot)
    elif isinstance(item, MapNode) and len(item.entries) == 1:
        entry = item.entries[0]
        yield from _extension(entry.key.text, entry.key.line, entry.node, spot)
    elif isinstance(item, MapNode) and item.entries:
        names = ", ".join(entry.key.text for entry in item.entries)
        spot.under(names).left_out(
            "is one item of several keys",
            item.line,
            instead="begin each extension with '- ' and indent its options below its name",
        )
    else:
        raise expected("must be a list of names", item)


def _extension(written: str, line: int, options: Node | None, spot: Spot) -> Iterator[tuple[str, object]]:
    name = _SAME.get(written, written)
    place = spot.under(written)
    allowed = EXTENSIONS.get(name)
    if allowed is None:
        place.left_out("is not an extension that builds may use", line, instead=_advice(name))
        return
    if options is None:
        yield name, None
        return
    values = list(kept(nothing_or(record(allowed, reasons=REASONS.get(name))), options, place))
    yield name, values[0] if values else None


def _advice(name: str) -> str:
    similar = difflib.get_close_matches(name.rpartition(".")[2], EXTENSIONS, n=1, cutoff=0.8)
    if similar:
        return f"did you mean {similar[0]}?"
    return "use one of Python-Markdown, PyMdown Extensions or mkdocs-techdocs-core"
