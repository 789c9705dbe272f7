"""``plugins``: a list or a mapping of names and options, both kept in their form.

mkdocs-techdocs-core is always there; what it loads itself (monorepo, GitHub
alerts) needs no name here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from techdocs_server.sandbox.config.nodes import ListNode, MapNode, Node, Scalar
from techdocs_server.sandbox.config.reading import Reader, Spot, kept
from techdocs_server.sandbox.config.redirects import redirect_maps
from techdocs_server.sandbox.config.schema import (
    Reason,
    constant,
    data,
    expected,
    flag,
    list_of,
    matching,
    nothing_or,
    only,
    record,
    text,
    whole,
)

CORE = "techdocs-core"
_LANGUAGE = matching(r"[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})*", "a language code such as en")

_CORE_OPTIONS: Mapping[str, Reader] = {"use_material_search": flag, "use_pymdownx_blocks": flag}

_SEARCH: Mapping[str, Reader] = {
    "enabled": flag,
    "lang": list_of(_LANGUAGE, or_one=True),
    "separator": text,
    "pipeline": list_of(constant("stemmer", "stopWordFilter", "trimmer")),
    "fields": data,
    "min_search_length": whole(1, 100),
    "indexing": constant("full", "sections", "titles"),
    "prebuild_index": only(False, ("runs a command", "remove it: browsers build the index")),
}
_DICTIONARY: Reason = ("reads a file by any path", "remove it: the built-in dictionary is used")
_SEARCH_REASONS = dict.fromkeys(("jieba_dict", "jieba_dict_user"), _DICTIONARY)

_GROUPS = frozenset({"group", "material/group"})
_BROUGHT: Mapping[str, Reason] = {
    "monorepo": (f"is brought by {CORE} already", "remove it"),
    "gh-admonitions": (f"is brought by {CORE} already", "remove it"),
}


def plugins(node: Node, spot: Spot) -> object:
    """Read the plugins; what is not allowed is left out. Raises `Unfit` when it is no list or mapping."""
    return _read(node, spot, core=_CORE_OPTIONS)


def with_core(value: object) -> object:
    """Return read plugins with techdocs-core at their end, unless it is among them."""
    if isinstance(value, dict):
        return value if any(_is_core(name) for name in value) else {**value, CORE: {}}
    if isinstance(value, list):
        names = [next(iter(item), None) if isinstance(item, dict) else item for item in value]
        return value if any(_is_core(name) for name in names) else [*value, CORE]
    return [CORE]


def _is_core(name: object) -> bool:
    # A leading slash asks MkDocs not to look for a plugin of the theme by that name.
    return name in (CORE, "/" + CORE)


def _read(node: Node, spot: Spot, *, core: Mapping[str, Reader] | None) -> object:
    reader = _Plugins(spot, core)
    if isinstance(node, MapNode):
        return {
            name: options
            for entry in node.entries
            for name, options in reader.plugin(entry.key.text, entry.key.line, entry.node)
        }
    if not isinstance(node, ListNode):
        raise expected("must be a list", node)
    return [
        name if options is None else {name: options} for item in node.items for name, options in reader.listed(item)
    ]


class _Plugins:
    """Reads the plugins of one list. ``core`` None: techdocs-core may not stand in it."""

    def __init__(self, spot: Spot, core: Mapping[str, Reader] | None) -> None:
        self._spot = spot
        self._core = core

    def listed(self, item: Node) -> Iterator[tuple[str, object]]:
        if isinstance(item, Scalar) and isinstance(item.value, str):
            yield from self.plugin(item.value, item.line, None)
        elif isinstance(item, MapNode) and len(item.entries) == 1:
            entry = item.entries[0]
            yield from self.plugin(entry.key.text, entry.key.line, entry.node)
        elif isinstance(item, MapNode) and item.entries:
            names = ", ".join(entry.key.text for entry in item.entries)
            self._spot.under(names).left_out(
                "is one item of several keys",
                item.line,
                instead="begin each plugin with '- ' and indent its options below its name",
            )
        else:
            raise expected("must be a list of names", item)

    def plugin(self, name: str, line: int, options: Node | None) -> Iterator[tuple[str, object]]:
        place = self._spot.under(name)
        reader = self._reader(name.removeprefix("/"))
        if reader is None:
            why, instead = _BROUGHT.get(name, ("is not a plugin that builds may use", self._advice()))
            place.left_out(why, line, instead=instead)
            return
        if _is_core(name):
            # MkDocs would run a second one as well.
            self._core = None
        if options is None:
            yield name, None
            return
        values = list(kept(nothing_or(reader), options, place))
        yield name, values[0] if values else None

    def _reader(self, name: str) -> Reader | None:
        if name == CORE:
            return None if self._core is None else record(self._core)
        if name in ("search", "material/search"):
            return record(_SEARCH, reasons=_SEARCH_REASONS)
        if name == "redirects":
            return record({"redirect_maps": redirect_maps})
        if name in _GROUPS:
            return record({"enabled": flag, "plugins": lambda node, spot: _read(node, spot, core=None)})
        return self._allowed(name)

    def _allowed(self, name: str) -> Reader | None:
        """Return the reader of a plugin that the operator allows."""
        for plugin in self._spot.reading.policy.plugins:
            if plugin.name == name:
                return record(dict.fromkeys(plugin.options, data))
        return None

    def _advice(self) -> str:
        more = [plugin.name for plugin in self._spot.reading.policy.plugins]
        return f"allowed are: {', '.join([CORE, 'search', 'redirects', 'group', *more])}"
