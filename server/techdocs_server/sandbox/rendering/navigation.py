"""What the navigation adds to a page: a key of all that is shown of it, and its HTML shared by neighbours.

Material writes the whole navigation into every page. Its items differ from page
to page only along the way to the page itself, and in how relative addresses
begin; so the HTML of all other items is made once for pages of one folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from techdocs_server.sandbox.rendering.values import Json, NotPlain, digest, encode

if TYPE_CHECKING:
    import jinja2
    from mkdocs.structure.nav import Navigation
    from mkdocs.structure.pages import Page

Item = Any
"""A section, page or link of MkDocs: its base class lacks what all three have."""

# What Material's navigation shows of a page's front matter.
_SHOWN = ("icon", "status", "subtitle")


def navigation_key(nav: Navigation) -> str:
    """Return the same text for two navigations that look alike in every page."""
    homepage = nav.homepage.url if nav.homepage else None
    return digest([_item(item) for item in nav.items], homepage)


def _item(item: Item) -> Json:
    title = _plain(item.title)
    if item.is_page:
        page: Page = item
        shown = [_plain(page.meta[name]) if name in page.meta else None for name in _SHOWN]
        return ["page", title, page.url, page.file.src_uri, bool(page.is_index), shown]
    if item.is_link:
        return ["link", title, item.url]
    return ["section", title, [_item(child) for child in item.children or ()]]


def _plain(value: object) -> Json:
    try:
        return encode(value)
    except NotPlain:
        return ["text", str(value)]


# The two calls in Material's templates that render an item, and the template that defines what they call.
_CALLS = {
    "partials/nav.html": ("item.render(nav_item, path, 1)", "shared_item(item.render, nav_item, path, 1, none)"),
    "partials/nav-item.html": (
        'render(item, path ~ "_" ~ loop.index, level + 1, nav_item)',
        'shared_item(render, item, path ~ "_" ~ loop.index, level + 1, nav_item)',
    ),
}
# The versions of the two that were read: what an item shows depends on the item, its place, whether its parent is
# active, and the addresses below. SHA-256 of the files of mkdocs-material 9.7.
_READ = frozenset(
    {
        "af33f6e032f632eb055c365eb5f1a975bf8456152fa768e69a1aad6d470b843f",
        "89895208f22d68ce405a4bcb6649b9150eba5bbb04663a6cb3f93f02daf1d2f7",
    }
)


def share_navigation(env: jinja2.Environment) -> bool:
    """Make an environment share the HTML of navigation items; return False when its theme is not one that was read."""
    from jinja2 import BaseLoader, pass_context

    original = env.loader
    if original is None or not all(_is_read(original, env, name) for name in _CALLS):
        return False
    loader: BaseLoader = original

    class Sharing(BaseLoader):
        def get_source(self, environment: jinja2.Environment, template: str) -> Any:
            source, path, is_fresh = loader.get_source(environment, template)
            if template in _CALLS:
                call, shared = _CALLS[template]
                source = source.replace(call, shared)
            return source, path, is_fresh

        def list_templates(self) -> list[str]:
            return loader.list_templates()

    shared = SharedItems()

    @pass_context
    def shared_item(context: Any, render: Callable[..., str], item: Any, path: str, level: int, parent: Any) -> str:
        return shared.render(context, render, item, path, level, parent)

    env.loader = Sharing()
    env.globals["shared_item"] = shared_item
    return True


def _is_read(loader: jinja2.BaseLoader, env: jinja2.Environment, name: str) -> bool:
    from jinja2 import TemplateNotFound

    try:
        source = loader.get_source(env, name)[0]
    except TemplateNotFound:
        return False
    return hashlib.sha256(source.encode()).hexdigest() in _READ and source.count(_CALLS[name][0]) == 1


Parts = tuple[str, ...]


class SharedItems:
    """The HTML of items, for pages of the folder that was asked for last."""

    def __init__(self) -> None:
        self._folder: tuple[object, ...] | None = None
        self._html: dict[tuple[object, ...], str] = {}
        self._prefixes: dict[int, frozenset[Parts]] = {}
        self._places: dict[int, tuple[Page, Parts, tuple[object, ...]]] = {}

    def render(self, context: Any, render: Callable[..., str], item: Item, path: str, level: int, parent: Any) -> str:
        """Return ``render(item, path, level, parent)``, made once for all pages to which it looks alike."""
        page = context.get("page")
        # Without a page, as in 404.html, addresses are absolute. An item on the way to the page is its own.
        if page is None or item.active:
            return render(item, path, level) if parent is None else render(item, path, level, parent)
        own, folder = self._place(page)
        if own in self._below(item):
            return render(item, path, level) if parent is None else render(item, path, level, parent)
        if folder != self._folder:
            self._folder = folder
            self._html.clear()
        key = (id(item), path, level, parent is None, bool(parent is not None and parent.active))
        html = self._html.get(key)
        if html is None:
            html = render(item, path, level) if parent is None else render(item, path, level, parent)
            self._html[key] = html
        return html

    def _place(self, page: Page) -> tuple[Parts, tuple[object, ...]]:
        """Return the parts of a page's address, and what pages have in common whose other addresses begin alike."""
        known = self._places.get(id(page))
        if known is None:
            # As mkdocs.utils.get_relative_url: relative to the folder, which a page with an address of its own is.
            folder, _, name = page.url.rpartition("/")
            is_file = "." in name
            parts = _parts(folder if is_file else page.url)
            group = ("exact", parts) if is_file else ("below", parts[:-1], len(parts))
            known = self._places[id(page)] = (page, parts if not is_file else _parts(page.url), group)
        return known[1], known[2]

    def _below(self, item: Item) -> frozenset[Parts]:
        """Return the addresses of an item and those below it, and every beginning of them."""
        found = self._prefixes.get(id(item))
        if found is None:
            own = _beginnings(item)
            found = self._prefixes[id(item)] = own.union(*(self._below(child) for child in item.children or ()))
        return found


def _beginnings(item: Item) -> frozenset[Parts]:
    parts = _parts(getattr(item, "url", None) or "")
    return frozenset(parts[:length] for length in range(1, len(parts) + 1)) if parts else frozenset({()})


def _parts(url: str) -> Parts:
    return tuple(_cut(url))


def _cut(url: str) -> Iterator[str]:
    import posixpath

    path = posixpath.normpath("/" + url.lstrip("/"))[1:]
    yield from path.split("/") if path else ()
