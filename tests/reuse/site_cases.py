"""Scripts that edit mkdocs.yml: the navigation, the theme, extensions, plugins, and included sites."""

from __future__ import annotations

from tests.support.edit_case import NAV, START, Case, configured
from tests.support.edited_sites import Edit
from tests.support.sites import MONOREPO_FILES, mkdocs_config

_ALONE = "docs/alone.md"
_RUN = "docs/guides/run.md"
_TEXT: Edit = {_ALONE: "# Alone\n\nOther text.\n"}
_TITLE: Edit = {_RUN: "# Walk\n\nNow.\n"}


def _featured(*features: str, nav: object = NAV) -> Case:
    more = configured(nav=nav, theme={"name": "material", "features": list(features)})
    return Case(f"features {' '.join(features)}", [_TEXT, _TITLE, {"docs/guides/deep/one.md": "# First\n"}, {"docs/index.md": "# Front\n\nx\n"}], more=more)  # fmt: skip


NAVIGATION = [
    Case("nav comes and goes", [configured(nav=NAV), _TITLE, configured(nav=NAV[::-1]), configured(nav=NAV[:2]), configured()]),
    Case("titles in nav", [configured(nav=[{"A": "alone.md"}, {"B": "zeta.md"}]), _TEXT, configured(nav=[{"C": "alone.md"}, {"B": "zeta.md"}]), configured(nav=["alone.md", "zeta.md"])]),
    Case("a page twice", [configured(nav=["index.md", {"X": "alone.md"}, {"S": [{"Y": "alone.md"}, "zeta.md"]}]), _TEXT, {"docs/zeta.md": "# Y\n"}, configured(nav=["index.md", {"S": ["alone.md"]}, "alone.md"]), _TITLE]),
    Case("a page missing in nav", [configured(nav=[*NAV, "gone.md"]), _TEXT, {"docs/gone.md": "# Gone\n"}, {"docs/gone.md": None}]),
    Case("not in nav", [configured(nav=NAV, not_in_nav="alone.md"), _TEXT, configured(nav=NAV, not_in_nav="/guides/*"), _TITLE]),
    Case("excluded", [configured(exclude_docs="guides/stop.md"), _TEXT, configured(draft_docs="zeta.md"), configured(exclude_docs="*.csv\n!.hidden.md")]),
    Case("links in nav", [configured(nav=[*NAV, {"R": "guides/run/"}, {"A": "/zeta/"}]), _TEXT, configured(nav=[*NAV, {"R": "guides/stop/"}])]),
    Case("sections alike", [configured(nav=[{"A": ["index.md"]}, {"A": ["alone.md", {"A": ["zeta.md"]}]}]), _TEXT, {"docs/zeta.md": "# Z\n"}]),
    Case("sections renamed", [configured(nav=[{"A": ["alone.md", {"B": ["zeta.md"]}]}]), configured(nav=[{"A": ["alone.md", {"C": ["zeta.md"]}]}])]),
    Case("deep folders", [_TEXT, {"docs/a/b/c/d/index.md": "# D2\n"}, {"docs/a/b/c.md": "# C\n"}, {"docs/a/index.md": None}],
         more={"docs/a/index.md": "# A\n", "docs/a/b/index.md": "# B\n", "docs/a/b/c/d/index.md": "# D\n", "docs/a/b/c/d/e.md": "[x](index.md)\n"}),
    _featured("navigation.tabs"), _featured("navigation.tabs", "navigation.tabs.sticky", "navigation.sections"),
    _featured("navigation.indexes"), _featured("navigation.indexes", "navigation.tabs", "navigation.prune"),
    _featured("navigation.prune"), _featured("navigation.sections", "navigation.prune"), _featured("toc.integrate"),
    _featured("navigation.expand", "navigation.path"), _featured("navigation.indexes", "navigation.sections", nav=None),
    _featured("navigation.instant", "navigation.tracking", "navigation.top", "content.tooltips"),
    Case("section with an index page", [{"docs/guides/index.md": "---\nicon: material/car\nstatus: new\n---\n# G\n"}, {"docs/guides/index.md": None}, {"docs/guides/index.md": "# H\n"}],
         more=configured(theme={"name": "material", "features": ["navigation.indexes", "navigation.path"]})),
]  # fmt: skip

_ICONS = "{note: material/book, tip: material/car, pied: material/home}"
_ICONS_TURNED = "{pied: material/home, tip: material/car, note: material/book}"


def _written(*lines: str) -> Edit:
    return {"mkdocs.yml": "\n".join(["site_name: Demo", "plugins: [techdocs-core]", *lines, ""])}


_CUSTOM = (
    "markdown_extensions:", "  - pymdownx.emoji:", "      emoji_index: !!python/name:material.extensions.emoji.twemoji",
    "      emoji_generator: !!python/name:material.extensions.emoji.to_svg", "      options:", "        custom_icons: [icons]",
)  # fmt: skip
_SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><path d="M0 0"/></svg>'

_MATERIAL = {"theme": {"name": "material"}}
_BOOSTED = {_ALONE: "---\nsearch: {boost: 2}\ntags: [a]\n---\n# Alone\n\n## Out { data-search-exclude }\n\nx\n"}

CONFIGURATION = [
    Case("the search of the theme", [_TEXT, _BOOSTED, _TITLE, configured(plugins=["techdocs-core"], **_MATERIAL), configured(plugins=[{"search": {"enabled": False}}, "techdocs-core"], **_MATERIAL), _TEXT], more={**configured(plugins=["search", "techdocs-core"], **_MATERIAL), "docs/zeta.md": "# Zeta\n\n## Out { data-search-exclude }\n\nx\n"}),
    Case("only the search of the theme", [_TEXT, _TITLE], more=configured(plugins=[{"techdocs-core": {"use_material_search": True}}], **_MATERIAL), reuses=False),
    Case("site name", [configured(site_name="Other"), _TEXT, configured(site_name="A & B")]),
    Case("addresses", [configured(site_url="https://docs.example.com/x/"), _TEXT, configured(repo_url="https://github.com/a/b", edit_uri="edit/main/docs/"), _TEXT]),
    Case("template of addresses", [_TEXT, _TITLE], more=configured(edit_uri_template="https://x.example.com/{path}"), reuses=False),
    Case("names for the files", [configured(use_directory_urls=False), _TEXT, _TITLE, {"docs/guides/deep.md": "# D\n"}, configured()]),
    Case("names for the files, at one place", [_TEXT, {"docs/alone.html": "<p>"}, {_ALONE: None}, {"docs/zeta.md": None}], more=configured(use_directory_urls=False)),
    Case("theme", [configured(theme={"name": "material", "language": "de"}), _TEXT, configured(theme={"name": "material", "logo": "images/dot.png", "favicon": "images/dot.png", "font": False}), configured(theme="readthedocs"), _TEXT]),
    Case("order of icons", [_TEXT, _written("theme:", "  name: material", "  icon:", f"    admonition: {_ICONS_TURNED}")],
         more=_written("theme:", "  name: material", "  icon:", f"    admonition: {_ICONS}")),
    Case("extra", [configured(extra={"social": [{"icon": "material/car", "link": "https://example.com"}]}), _TEXT, configured(extra={"status": {"new": "N"}}), {_ALONE: "---\nstatus: new\n---\n# A\n"}, configured(extra={"status": {"new": "M"}}), configured(copyright="me")]),
    Case("style sheets", [configured(extra_css=["files/a.css"]), {"docs/files/a.css": "a {}"}, {"docs/files/a.css": "b {}"}, configured(extra_css=["files/b.css"], extra_javascript=["x.js"])]),
    Case("extensions", [configured(markdown_extensions=["nl2br"]), _TEXT, configured(markdown_extensions=[{"toc": {"permalink": "#", "toc_depth": 2}}]), configured(markdown_extensions=["abbr", {"smarty": {"smart_quotes": False}}, "wikilinks"])]),
    Case("extension that is not allowed", [configured(markdown_extensions=["os"]), _TEXT, configured(plugins=["techdocs-core", "macros"])]),
    Case("slugs", [_written("markdown_extensions:", "  - toc:", "      slugify: !!python/object/apply:pymdownx.slugs.slugify {kwds: {case: lower}}"), _TEXT, _written("markdown_extensions:", "  - toc:", "      slugify: !!python/object/apply:pymdownx.slugs.slugify {kwds: {case: none}}")]),
    Case("previews", [_TEXT, _TITLE, {"docs/guides/stop.md": None}], more=configured(markdown_extensions=[{"material.extensions.preview": {"sources": {"include": ["*"]}, "targets": {"include": ["guides/*"]}}}])),
    Case("icons of the source", [{"icons/team-b.svg": _SVG}, _TEXT, {"icons/team-a.svg": _SVG.replace("M0", "M1")}, {_ALONE: "# A\n\n:team-a: :team-b: :team-a:\n"}, {"icons/team-b.svg": _SVG.replace("M0", "M2")}, {"icons/team-a.svg": None}],
         more={**_written(*_CUSTOM), "icons/team-a.svg": _SVG, _ALONE: "# A\n\n:team-a: :team-b:\n", _RUN: "# R\n\n:team-a:\n", "docs/zeta.md": "# Z\n\n:team-b: :team-a:\n"}),
    Case("pictures in pages", [{"docs/images/dot.png": b"\x89PNG1"}, {"docs/images/dot.png": None}, _TEXT], more=configured(markdown_extensions=[{"pymdownx.b64": {"base_path": "docs"}}])),
    Case("text added to all", [{"docs/inc.md": "*[HTML]: other\n"}, {"docs/inc.md": None}, _TEXT], more={**configured(markdown_extensions=[{"pymdownx.snippets": {"auto_append": ["docs/inc.md"]}}]), "docs/inc.md": "*[HTML]: it\n", "docs/zeta.md": "# Z\n\nHTML\n"}),
    Case("snippets by other paths", [{"docs/p.txt": "two\n"}, {"docs/p.txt": None}, _TEXT], more={**configured(markdown_extensions=[{"pymdownx.snippets": {"base_path": ["docs"], "check_paths": False}}]), "docs/p.txt": "one\n", _ALONE: '# A\n\n--8<-- "p.txt"\n'}),
    Case("snippets relative to docs", [{"docs/p.txt": "two\n"}, _TEXT], reuses=False, more={**_written("markdown_extensions:", "  - pymdownx.snippets:", "      base_path: !relative $docs_dir"), "docs/p.txt": "one\n", _ALONE: '# A\n\n--8<-- "p.txt"\n'}),
    Case("levels", [configured(validation={"links": {"not_found": "ignore", "anchors": "warn"}}), {_ALONE: "# A\n\n[x](no.md) [y](#no)\n"}, configured(validation={"links": {"not_found": "warn", "absolute_links": "relative_to_docs"}}), _TITLE]),
    Case("strict", [{_ALONE: "# A\n\n[x](no.md)\n"}, _TITLE, {"docs/no.md": "# N\n"}, {_ALONE: "# A\n\n[x](#no)\n"}, _TEXT], more=configured(strict=True)),
    Case("search", [configured(plugins=["techdocs-core", {"/search": {"lang": "de", "separator": "x"}}]), _TEXT, configured(plugins=[{"/search": {"indexing": "titles"}}, "techdocs-core"]), _TEXT, configured()]),
    Case("plugins that are not known", [configured(plugins=["techdocs-core", {"group": {"enabled": True, "plugins": ["redirects"]}}]), _TEXT], reuses=False),
    Case("no configuration", [{"mkdocs.yml": None}, _TEXT, {"mkdocs.yaml": "site_name: Y\n"}, {"mkdocs.yml": "site_name: Z\n"}]),
    Case("broken configuration", [{"mkdocs.yml": "site_name: [\n"}, START, configured(nav="x"), _TEXT]),
    Case("folder of the pages", [{**configured(docs_dir="d"), "d/index.md": "# D\n", "d/zeta.md": START["docs/zeta.md"]}, {"d/zeta.md": "# Z\n"}, configured()]),
]  # fmt: skip


def _redirected(**targets: str) -> Edit:
    maps = {f"{old}.md": new for old, new in targets.items()}
    return {"mkdocs.yml": mkdocs_config("Demo", plugins=["techdocs-core", {"redirects": {"redirect_maps": maps}}])}


_OTHER = {name: content for name, content in MONOREPO_FILES.items() if name != "docs/index.md"}
_INCLUDED: Edit = {
    **_OTHER,
    "mkdocs.yml": str(MONOREPO_FILES["mkdocs.yml"]).replace("- Billing", "- guides/run.md\n  - Billing"),
    "billing/docs/x.txt": "x",
}
SITES = [
    Case("redirects", [_redirected(old="zeta.md"), _TEXT, _redirected(old="alone.md#one"), {"docs/old.md": "# Old\n"}, {"docs/old.md": None}, configured()]),
    Case("redirect from a page's place", [_redirected(alone="zeta.md"), _TEXT, _TITLE, configured(), _redirected(alone="none.md"), {"docs/none.md": "# N\n"}, {"docs/none.md": None}]),
    Case("redirect from an asset's place", [_TEXT, _redirected(old="none.md"), _TEXT, _redirected(old="zeta.md"), _TITLE, configured(), _TEXT], more={"docs/old/index.html": "<p>"}),
    Case("redirect to a page that goes", [_redirected(old="zeta.md"), {"docs/zeta.md": None}, {"docs/zeta.md": "# Z\n"}]),
    Case("included site", [{"billing/docs/more.md": "# Even more\n"}, {"billing/docs/more.md": "# Even more\n\nText [x](no.md)\n"}, _TITLE, {"billing/docs/x.txt": "y"}, {"billing/docs/new.md": "# New\n"}, {"billing/mkdocs.yml": "site_name: bills\nnav:\n  - Start: index.md\n"}], more=_INCLUDED),
    Case("included site with snippets", [{"billing/docs/p.txt": "two"}, {"billing/docs/p.txt": None}, _TITLE], more={**_INCLUDED, "billing/docs/p.txt": "one", "billing/docs/more.md": '# More\n\n--8<-- "billing/docs/p.txt"\n'}),
    Case("included site with addresses", [{"billing/docs/more.md": "# Even\n"}, {"mkdocs.yml": str(_INCLUDED["mkdocs.yml"]) + "repo_url: https://github.com/c/d\n"}], more={**_INCLUDED, "mkdocs.yml": str(_INCLUDED["mkdocs.yml"]) + "repo_url: https://github.com/a/b\n"}),
]  # fmt: skip

CASES = [*NAVIGATION, *CONFIGURATION, *SITES]
