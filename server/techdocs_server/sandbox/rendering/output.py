"""What the file of a page is made from, beside the page itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from techdocs_server.sandbox.rendering.values import Json, NotPlain, digest, encode

if TYPE_CHECKING:
    from collections.abc import Collection

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure import StructureItem
    from mkdocs.structure.pages import Page

    from techdocs_server.sandbox.rendering.records import Head


def output_key(page: Page, head: Head, *, configuration: str, navigation: str) -> str:
    """Return the same text for two builds in which the file of a page is the same."""
    return digest(
        configuration,
        navigation,
        head.body,
        head.meta,
        _text(page.title),
        page.file.dest_uri,
        page.url,
        page.edit_url,
        page.canonical_url,
        [_text(ancestor.title) for ancestor in page.ancestors],
        _neighbour(page.previous_page),
        _neighbour(page.next_page),
    )


def _neighbour(item: StructureItem | None) -> Json:
    return None if item is None else [_text(item.title), getattr(item, "url", None)]


def _text(value: object) -> Json:
    try:
        return encode(value)
    except NotPlain:
        return ["text", str(value)]


def places_written_last(config: MkDocsConfig) -> Collection[str]:
    """Return the paths of the site that plugins write when all pages are written."""
    from mkdocs_redirects.plugin import RedirectPlugin, get_html_path  # type: ignore[import-untyped]  # ships none

    places = {"search/search_index.json"}
    for plugin in config.plugins.values():
        if isinstance(plugin, RedirectPlugin):
            places |= {get_html_path(old, config.use_directory_urls) for old in getattr(plugin, "redirects", {})}
    return places
