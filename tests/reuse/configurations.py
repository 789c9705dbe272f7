"""Edits of mkdocs.yml."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.reuse.drafts import PLACES, Draft, Pick

Edit = Callable[[Draft, Pick], None]

OPTIONS: Mapping[str, tuple[object, ...]] = {
    "site_name": ("Site", "Other & <site>"),
    "site_description": (None, "What it is", "Other"),
    "site_author": (None, "Team A"),
    "site_url": (None, "https://docs.example.org/", "https://docs.example.org/below/"),
    "repo_url": (None, "https://github.com/example/one", "https://github.com/example/two"),
    "edit_uri": (None, "edit/main/docs/", "edit/next/docs/"),
    "copyright": (None, "Copyright &copy; <b>us</b>"),
    "use_directory_urls": (None, False, True),
    "strict": (None, None, True),
    "exclude_docs": (None, "guides/deep/\n", "*.css\nfaq.md\n"),
    "draft_docs": (None, "ops/\n"),
    "not_in_nav": (None, "guides/\n", "faq.md\n"),
    "extra_css": (None, ["extra.css"], ["none.css", "https://example.org/x.css"]),
    "validation": (
        None,
        {"links": {"anchors": "warn"}},
        {"omitted_files": "warn", "links": {"absolute_links": "warn", "unrecognized_links": "warn", "anchors": "warn"}},
        {"links": {"not_found": "ignore", "absolute_links": "relative_to_docs"}},
    ),
    "extra": (
        None,
        {"homepage": "https://example.org/"},
        {"status": {"new": "Added lately"}, "generator": False},
        {"social": [{"icon": "material/home", "link": "https://example.org/us"}], "n": 1.5},
    ),
}

FEATURES = (
    "navigation.tabs", "navigation.sections", "navigation.indexes", "navigation.prune", "navigation.path", "navigation.expand",
    "navigation.instant", "navigation.top", "navigation.tracking", "toc.integrate", "toc.follow", "content.code.copy",
    "content.action.view", "search.suggest", "navigation.tabs.sticky", "content.tooltips",
)  # fmt: skip

EXTENSIONS: tuple[list[object], ...] = (
    ["footnotes", "abbr"],
    [{"toc": {"permalink": False, "toc_depth": 2}}],
    [{"toc": {"permalink": "#", "baselevel": 2}}],
    [{"pymdownx.snippets": {"auto_append": ["includes/abbreviations.md"], "base_path": [".", "docs"]}}],
    [{"pymdownx.snippets": {"check_paths": True}}],
    [{"pymdownx.snippets": {"base_path": ["docs"]}}, "attr_list", "md_in_html"],
    [{"pymdownx.emoji": {"options": {"custom_icons": ["docs/icons"]}}}],
    [{"pymdownx.b64": {"base_path": "docs"}}],
    [{"material.extensions.preview": {"sources": {"include": ["*"]}}}],
    [{"pymdownx.magiclink": {"repo_url_shorthand": True, "user": "example", "repo": "one"}}, "smarty"],
    [{"pymdownx.highlight": {"anchor_linenums": True, "auto_title": True}}, "wikilinks"],
    [{"pymdownx.tabbed": {"alternate_style": True, "combine_header_slug": True}}],
    ["no_such_extension"],
)

PLUGINS: tuple[object, ...] = (
    ["techdocs-core"],
    ["search", "techdocs-core"],
    [{"techdocs-core": {"use_material_search": True}}],
    [{"techdocs-core": {"use_pymdownx_blocks": True}}],
    [{"search": {"lang": "de", "indexing": "titles"}}, "techdocs-core"],
    ["no_such_plugin"],
)


def option(draft: Draft, pick: Pick) -> None:
    """Set an option, or leave it to its default."""
    name = pick.of(sorted(OPTIONS))
    value = pick.of(OPTIONS[name])
    draft.config[name] = value
    if value is None:
        del draft.config[name]


def theme(draft: Draft, pick: Pick) -> None:
    """Choose features and looks."""
    chosen = {pick.of(FEATURES) for _ in range(pick.number(5))}
    values: dict[str, object] = {"name": "material", "features": sorted(chosen)}
    more = pick.of(("", "language", "logo", "icon", "font", "direction"))
    known: Mapping[str, object] = {
        "language": pick.of(("de", "fr")),
        "logo": "images/logo.png",
        "icon": {"repo": "fontawesome/brands/git", "admonition": {"note": "octicons/tag-16"}},
        "font": False,
        "direction": "rtl",
    }
    if more:
        values[more] = known[more]
    draft.config["theme"] = values


def extensions(draft: Draft, pick: Pick) -> None:
    """Choose extensions of Markdown."""
    draft.config["markdown_extensions"] = [one for _ in range(pick.number(4)) for one in pick.of(EXTENSIONS)]


def plugins(draft: Draft, pick: Pick) -> None:
    """Choose plugins."""
    draft.config["plugins"] = pick.of(PLUGINS)


def redirects(draft: Draft, pick: Pick) -> None:
    """Redirect old places, perhaps one where a page is, perhaps to one that is gone."""
    olds = ("old.md", "old/index.md", *sorted(draft.pages))
    maps = {}
    for _ in range(1 + pick.number(2)):
        target = pick.of((*sorted(draft.pages), "none.md", "https://example.org/new"))
        maps[pick.of(olds)] = target + pick.of(("", "#first"))
    draft.config["plugins"] = ["techdocs-core", {"redirects": {"redirect_maps": maps}}]


def navigation(draft: Draft, pick: Pick) -> None:
    """Write a navigation: sections, titles, a page twice, one that is gone, a link, an included site."""
    pages = sorted(draft.pages)
    items: list[object] = []
    for _ in range(1 + pick.number(5)):
        items.append(
            pick.of((_bare, _titled, _section, _bare, _deep, _elsewhere, _missing, _included))(pages, draft, pick)
        )
    draft.config["nav"] = items


def no_navigation(draft: Draft, pick: Pick) -> None:
    """Leave the navigation to MkDocs."""
    draft.config.pop("nav", None)


def reorder(draft: Draft, pick: Pick) -> None:
    """Move an item of the navigation."""
    nav = draft.config.get("nav")
    if isinstance(nav, list) and nav:
        nav.insert(pick.number(len(nav)), nav.pop(pick.number(len(nav))))


def _bare(pages: list[str], draft: Draft, pick: Pick) -> object:
    return pick.of(pages)


def _titled(pages: list[str], draft: Draft, pick: Pick) -> object:
    return {pick.of(("One", "Two & <three>", "Größe")): pick.of(pages)}


def _section(pages: list[str], draft: Draft, pick: Pick) -> object:
    return {pick.of(("Part", "Other part")): [_bare(pages, draft, pick), _titled(pages, draft, pick)]}


def _deep(pages: list[str], draft: Draft, pick: Pick) -> object:
    return {"Outer": [_bare(pages, draft, pick), {"Inner": [_section(pages, draft, pick), _bare(pages, draft, pick)]}]}


def _elsewhere(pages: list[str], draft: Draft, pick: Pick) -> object:
    return {"Elsewhere": pick.of(("https://example.org/", "/absolute/", "images/logo.png"))}


def _missing(pages: list[str], draft: Draft, pick: Pick) -> object:
    return pick.of(PLACES)


def _included(pages: list[str], draft: Draft, pick: Pick) -> object:
    if "billing/mkdocs.yml" not in draft.others:
        return _bare(pages, draft, pick)
    return {"Billing": "!include ./billing/mkdocs.yml"}


CONFIG_EDITS: Mapping[str, Edit] = {
    edit.__name__: edit for edit in (option, theme, extensions, plugins, redirects, navigation, no_navigation, reorder)
}
