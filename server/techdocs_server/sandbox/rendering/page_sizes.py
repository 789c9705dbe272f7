"""How large pages are for what they say: Material writes the whole navigation into each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from techdocs_server.sandbox.logs import rules_log

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

_FEATURE = "navigation.prune"
# Below this a site is small whatever its pages hold, and a frame of 40 KB is not worth a word.
_LEAST_PAGES, _LEAST_BYTES = 200, 100_000
_MOSTLY = 0.8


def prune_navigation(config: MkDocsConfig, pages: int, *, above: int) -> None:
    """Turn on Material's pruned navigation for a site of more than some pages; 0 is no site."""
    if not above or pages <= above:
        return
    features = list(config.theme.get("features", []))
    if _FEATURE not in features:
        config.theme["features"] = [*features, _FEATURE]


class PageSizes:
    """Sums up the sizes of the pages that were written."""

    def __init__(self) -> None:
        self._pages = 0
        self._bytes = 0
        self._bodies = 0

    def add(self, size: int, *, body: int) -> None:
        """Count a page: the bytes of its file, and the characters of its own content."""
        self._pages += 1
        self._bytes += size
        self._bodies += body

    def warn(self, total: int) -> None:
        """Warn when the pages of a site, ``total`` of them, are mostly navigation."""
        if not self._pages or total < _LEAST_PAGES:
            return
        mean = self._bytes / self._pages
        rest = 1 - self._bodies / self._bytes if self._bytes else 0.0
        if mean >= _LEAST_BYTES and rest >= _MOSTLY:
            rules_log(
                f"a page of this site has {mean / 1000:.0f} KB, {rest:.0%} of it navigation and frame, which makes "
                f"{mean * total / 1e6:.0f} MB for {total} pages; the theme's feature {_FEATURE} makes them much smaller",
                file="",
            )
