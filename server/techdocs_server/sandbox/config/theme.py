"""``theme``: the keys that Backstage's generator keeps, with the values they may have.

mkdocs-techdocs-core builds every site with Material for MkDocs, whatever theme is named.
"""

from __future__ import annotations

from collections.abc import Mapping

from techdocs_server.sandbox.config.addresses import link
from techdocs_server.sandbox.config.nodes import MapNode, Node, Scalar
from techdocs_server.sandbox.config.reading import Reader, Spot
from techdocs_server.sandbox.config.schema import (
    Reason,
    constant,
    data,
    either,
    flag,
    list_of,
    matching,
    nothing_or,
    record,
    text,
)

_DEFAULT = "material"
_NAMES = frozenset({_DEFAULT, "mkdocs", "readthedocs"})
_FEATURE = matching(r"[A-Za-z0-9_.-]{1,100}", "the name of a feature")
_LANGUAGE = matching(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", "a language code such as en")
# A template of the theme is included by this name.
_ICON = matching(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_.-]*[A-Za-z0-9_-])*", "the name of an icon, such as material/book")


def _icons(node: Node, spot: Spot) -> object:
    if isinstance(node, MapNode):
        return record({entry.key.text: _icons for entry in node.entries})(node, spot)
    return _ICON(node, spot)


def _name(node: Node, spot: Spot) -> str:
    if isinstance(node, Scalar) and (node.value is None or node.value in _NAMES):
        return str(node.value or _DEFAULT)
    shown = node.text if isinstance(node, Scalar) else spot
    spot.warn(f"the theme '{shown}' is not installed; {_DEFAULT} is used", node.line)
    return _DEFAULT


_KEYS: Mapping[str, Reader] = {
    "name": _name,
    "font": either(flag, record({"text": text, "code": text})),
    "icon": _icons,
    "logo": link,
    "favicon": link,
    "language": _LANGUAGE,
    "direction": constant("ltr", "rtl"),
    "palette": data,
    "features": list_of(_FEATURE),
}
_REASONS: Mapping[str, Reason] = {
    "custom_dir": ("runs templates of the documentation source", "remove it; pages and extra_css may hold markup"),
    "locale": ("is of no use with Material", "set 'language'"),
    "static_templates": ("runs templates", "remove it"),
}


def theme(node: Node, spot: Spot) -> object:
    """Read a theme: its name, or options among which the name is made sure of."""
    if isinstance(node, Scalar):
        return _name(node, spot)
    values = record({key: nothing_or(reader) for key, reader in _KEYS.items()}, reasons=_REASONS)(node, spot)
    given = {key: value for key, value in values.items() if value is not None} if isinstance(values, dict) else {}
    return given if "name" in given else {"name": _DEFAULT, **given}


def without_fonts(chosen: object) -> dict[str, object]:
    """Return a theme as `theme` gives it, None for none, that asks no other host for fonts.

    It is Material then, which every site is built with, and whatever fonts the author chose are left out.
    """
    options = chosen if isinstance(chosen, dict) else {}
    return {**options, "name": _DEFAULT, "font": False}
