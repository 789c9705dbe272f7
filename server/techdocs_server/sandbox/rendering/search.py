"""The search index of MkDocs' own plugin, put together from one part for each page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from techdocs_server.sandbox.rendering.values import digest

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.contrib.search import SearchPlugin
    from mkdocs.contrib.search.search_index import SearchIndex
    from mkdocs.structure.pages import Page


def search_plugin(config: MkDocsConfig) -> SearchPlugin | None:
    """Return the plugin of a configuration."""
    from mkdocs.contrib.search import SearchPlugin

    found = [plugin for plugin in config.plugins.values() if isinstance(plugin, SearchPlugin)]
    return found[-1] if found else None


class SearchParts:
    """Stands in for the plugin's index: holds JSON texts instead of entries."""

    def __init__(self, index: SearchIndex) -> None:
        self._index = index
        self._parts: list[bytes] = []

    @property
    def config(self) -> object:
        """Options of the plugin."""
        return self._index.config

    def key(self, page: Page, body: str) -> str:
        """Return what a page's part is made from; ``body`` is the digest of its HTML."""
        return digest(body, str(page.title), page.title is None, page.url, self._index.config["indexing"])

    def part(self, page: Page) -> bytes:
        """Return the entries of a page whose body is there, without the brackets around them."""
        from mkdocs.contrib.search.search_index import SearchIndex

        index = SearchIndex(**self._index.config)
        index.add_entry_from_context(page)
        return _json(index._entries)[1:-1].encode()

    def add(self, part: bytes) -> None:
        """Add a page's part behind the others."""
        if part:
            self._parts.append(part)

    def add_entry_from_context(self, page: Page) -> None:
        """Called by the plugin for each page it renders; the part is added by who renders it."""

    def generate_search_index(self) -> str:
        """Return the whole index, byte for byte as the plugin's own class does."""
        config = _json(self._index.config)
        return f'{{"config":{config},"docs":[{b",".join(self._parts).decode()}]}}'


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
