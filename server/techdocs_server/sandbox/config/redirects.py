"""The map of the redirects plugin, which writes a page for each of its keys."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from techdocs_server.sandbox.config.addresses import as_text, inside_tree, is_relative, is_web_url
from techdocs_server.sandbox.config.nodes import MapNode, Node
from techdocs_server.sandbox.config.reading import Spot, Unfit, kept
from techdocs_server.sandbox.config.schema import expected, text

_PAGES = (".markdown", ".mdown", ".mkdn", ".mkd", ".md")
# The plugin puts targets into markup and a script as they are.
_MARKUP = re.compile(r"[\s\"'<>`\\{}]")


def redirect_maps(node: Node, spot: Spot) -> dict[str, object]:
    """Read old pages (paths inside docs_dir) and their new places (pages inside docs_dir, or web URLs).

    Entries that lead elsewhere are left out.
    """
    if not isinstance(node, MapNode):
        raise expected("must be pages and their new places", node)
    targets: dict[str, object] = {}
    for entry in node.entries:
        place = spot.under(entry.key.text)
        if not _is_page(entry.key.text):
            place.left_out(
                "is not a page inside the documentation folder",
                entry.key.line,
                instead="write the old page's path below it, such as guides/old.md",
            )
            continue
        targets.update((entry.key.text, value) for value in kept(_target, entry.node, place))
    return targets


def _is_page(path: str) -> bool:
    inside = inside_tree(path)
    return inside is not None and as_text(inside) == path and path.lower().endswith(_PAGES)


def _target(node: Node, spot: Spot) -> str:
    value = text(node, spot)
    if not value or _MARKUP.search(value) or not (is_web_url(value) or _is_inside(value)):
        raise Unfit(
            "must lead to a page inside the documentation folder or to a http or https URL",
            line=node.line,
            is_refused=True,
        )
    return value


def _is_inside(target: str) -> bool:
    return is_relative(target) and inside_tree(urlsplit(target).path) is not None
