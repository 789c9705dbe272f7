"""``nav``: pages, links, sections, and the ``!include`` lines of the monorepo plugin."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import Protocol
from urllib.parse import urlsplit

from techdocs_server.sandbox.config.addresses import inside_tree, is_link, is_relative
from techdocs_server.sandbox.config.nodes import Entry, ListNode, MapNode, Node, Plain, Scalar
from techdocs_server.sandbox.config.reading import Spot, Unfit
from techdocs_server.sandbox.config.schema import expected, text

INCLUDE = "!include "
WILDCARD = "*include "


class Includer(Protocol):
    """Takes in the configurations that a navigation includes. Raises `ConfigProblem`."""

    def one(self, path: str, *, line: int) -> str:
        """Take in a file; return its path for the new navigation."""
        ...

    def many(self, pattern: str, *, line: int) -> Sequence[tuple[str, str]]:
        """Take in every file that matches; return site names and paths."""
        ...


class Navigation:
    """Reads one navigation. ``includer`` None: the configuration is an included one, which includes nothing."""

    def __init__(self, spot: Spot, includer: Includer | None) -> None:
        self._spot = spot
        self._includer = includer

    def read(self, node: Node) -> list[object]:
        """Return the navigation to write.

        Links that lead where none may are left out with a warning. Raises `Unfit`
        for what is no navigation, and `ConfigProblem` for a bad include.
        """
        if not isinstance(node, ListNode):
            raise expected("must be a list of pages and sections", node)
        return [made for item in node.items for made in self._item(item)]

    def _item(self, item: Node) -> Iterator[object]:
        if isinstance(item, MapNode) and len(item.entries) == 1:
            entry = item.entries[0]
            yield from ({_title(entry): value} for value in self._titled(entry))
        elif isinstance(item, MapNode):
            raise Unfit(
                "has an item of several keys", line=item.line, instead="begin each page with '- ' on a line of its own"
            )
        else:
            yield from self._page(item, self._spot.under(item.text) if isinstance(item, Scalar) else self._spot)

    def _titled(self, entry: Entry) -> Iterator[object]:
        node = entry.node
        if isinstance(node, ListNode):
            yield self.read(node)
        elif isinstance(node, MapNode):
            # MkDocs takes a mapping for a list of pages, and warns; the monorepo plugin looks for includes in lists.
            pages = Navigation(self._spot, None)
            yield {_title(inner): value for inner in node.entries for value in pages._titled(inner)}
        elif self._includer is not None and isinstance(node, Scalar) and isinstance(node.value, str):
            yield from self._included(self._includer, node.value, node, entry)
        else:
            yield from self._page(node, self._spot.under(entry.key.text))

    def _included(self, includer: Includer, value: str, node: Scalar, entry: Entry) -> Iterator[object]:
        if value.startswith(INCLUDE):
            yield INCLUDE + includer.one(value.removeprefix(INCLUDE).strip(), line=node.line)
        elif value.startswith(WILDCARD):
            found = includer.many(value.removeprefix(WILDCARD).strip(), line=node.line)
            if found:
                yield [{name: INCLUDE + path} for name, path in found]
            else:
                self._spot.under(entry.key.text).left_out("matches no configuration", node.line)
        else:
            yield from self._page(node, self._spot.under(entry.key.text))

    def _page(self, node: Node, spot: Spot) -> Iterator[str]:
        if isinstance(node, Scalar) and not isinstance(node.value, str):
            raise expected("must be a page, a link or a list of them", node)
        try:
            yield _target(node, spot)
        except Unfit as unfit:
            spot.left_out(unfit.why, unfit.line, instead=unfit.instead)


def _target(node: Node, spot: Spot) -> str:
    value = text(node, spot)
    if value.startswith((INCLUDE, WILDCARD)):
        raise Unfit(
            "includes a configuration where that is not possible",
            line=node.line,
            instead="includes need a title, and stand in the first configuration only",
        )
    if not is_link(value) or (is_relative(value) and inside_tree(urlsplit(value).path.lstrip("/")) is None):
        raise Unfit(
            "leads out of the documentation folder", line=node.line, instead="write a path below it or a web address"
        )
    return value


def _title(entry: Entry) -> Plain:
    value = entry.key.value
    return entry.key.text if isinstance(value, datetime.date) else value
