"""What authors are told to use goes on working, with the bytes that MkDocs itself would make."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
from techdocs_server.adapters.generators.isolation import IsolationPolicy
from techdocs_server.ports.sources import EditLinks
from techdocs_server.sandbox.config.policy import AllowedPlugin, ConfigPolicy

from tests.support.benign_site import FILES
from tests.support.config_builds import BuiltSite, ConfigBuilds


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> ConfigBuilds:
    return ConfigBuilds(tmp_path_factory.mktemp("benign"))


@pytest.fixture(scope="module")
def built(builds: ConfigBuilds) -> BuiltSite:
    return asyncio.run(builds.build(FILES))


def test_site_is_what_mkdocs_makes_of_the_authors_own_configuration(built: BuiltSite, builds: ConfigBuilds) -> None:
    plain = builds.plain(FILES)
    assert built.files.keys() == plain.keys()
    assert [path for path, content in built.files.items() if content != plain[path]] == []


def test_nothing_is_warned_of(built: BuiltSite) -> None:
    assert built.warnings == ()


FEATURES = {
    "front matter": ("index.html", r"<title>Welcome - Everything</title>"),
    "site description": ("guides/index.html", r'name="description" content="A site that uses everything"'),
    "canonical links": ("index.html", r'rel="canonical" href="https://docs\.example\.org/everything/"'),
    "copyright with markup": ("index.html", r'2026 <a href="https://example\.org">Example</a>'),
    "edit links": ("guides/code/index.html", r"https://github\.com/example/everything/edit/main/docs/guides/code\.md"),
    "edit links of an included site": ("billing/more/index.html", r"example/billing/edit/main/docs/more\.md"),
    "logo": ("index.html", r'<img src="images/logo\.png" alt="logo">'),
    "features of the theme": ("index.html", r'"navigation\.tabs"'),
    "tabs of the navigation": ("index.html", r'class="md-tabs"'),
    "homepage": ("index.html", r'href="https://example\.org/home"'),
    "social links": ("index.html", r'href="https://social\.example/@team"'),
    "mail links": ("index.html", r'href="mailto:team@example\.org"'),
    "own stylesheet": ("index.html", r'href="stylesheets/extra\.css"'),
    "stylesheet from elsewhere": ("index.html", r'href="https://cdn\.example\.org/more\.css"'),
    "link in the navigation": ("index.html", r'href="https://example\.org/"'),
    "emoji of Material": ("index.html", r'<span class="twemoji"><svg'),
    "emoji of Twemoji": ("index.html", r'<img alt="😄" class="twemoji"'),
    "own icons": ("index.html", r"M0 0h1v1z"),
    "mark, subscript, insert": ("index.html", r"<mark>marked</mark> H<sub>2</sub>O <ins>inserted</ins>"),
    "keys": ("index.html", r'<kbd class="key-control">'),
    "symbols": ("index.html", r"&copy; &ndash; done"),
    "attribute lists": ("index.html", r'class="md-button md-button--primary"'),
    "links of the repository": ("index.html", r"https://github\.com/example/everything/issues/7"),
    "footnotes": ("index.html", r'class="footnote"'),
    "abbreviations appended to each page": ("index.html", r'<abbr title="Hyper Text Markup Language">HTML</abbr>'),
    "Unicode anchors": ("guides/index.html", r'id="größe--maß"'),
    "table of contents": ("guides/index.html", r'<div class="toc">'),
    "admonitions": ("guides/writing/index.html", r'<div class="admonition note">\s*<p class="admonition-title">Look'),
    "details": ("guides/writing/index.html", r'<details class="tip">'),
    "alerts of GitHub": ("guides/writing/index.html", r'<div class="admonition warning">'),
    "task lists": ("guides/writing/index.html", r'class="task-list-control"'),
    "lists nested by two": ("guides/writing/index.html", r"<li>nested by two</li>"),
    "definition lists": ("guides/writing/index.html", r"<dt>Term</dt>"),
    "Markdown in HTML": ("guides/writing/index.html", r'<div class="grid cards">\s*<ul>\s*<li>.*<strong>One'),
    "tables": ("guides/writing/index.html", r"<th style=\"text-align: left;\">a</th>"),
    "content tabs": ("guides/writing/index.html", r'class="tabbed-set tabbed-alternate"'),
    "snippets": ("guides/writing/index.html", r"<p>Shared <em>text</em>\.</p>"),
    "critic markup": ("guides/writing/index.html", r'<del class="critic">removed</del>'),
    "highlighted code": ("guides/code/index.html", r'<span class="filename">pay\.py</span>'),
    "highlighted lines": ("guides/code/index.html", r'class="hll"'),
    "inline code": ("guides/code/index.html", r'<code class="[^"]*highlight">'),
    "mermaid": ("guides/code/index.html", r'<pre class="mermaid"><code>graph LR'),
    "diagrams shown in a fence": ("guides/code/index.html", r"@startuml"),
    "inline math": ("math/index.html", r'<span class="arithmatex">'),
    "math in a fence": ("math/index.html", r'<pre class="arithmatex">'),
    "pages outside the navigation": ("hidden/index.html", r"Not in the navigation"),
    "included site": ("billing/index.html", r"Billing"),
    "sites included by a pattern": ("team-red/index.html", r"Red"),
    "included site below a folder": ("teams/blue/index.html", r"Blue"),
    "redirect to a page": ("old/index.html", r'href="\.\./guides/"'),
    "redirect to a heading": ("older/index.html", r"guides/code/.*#fences"),
    "redirect to another site": ("away/index.html", r"https://example\.org/new"),
}


@pytest.mark.parametrize("feature", FEATURES)
def test_feature_is_in_the_site(built: BuiltSite, feature: str) -> None:
    path, pattern = FEATURES[feature]
    assert re.search(pattern, built.page(path), re.DOTALL), feature


def test_excluded_pages_are_not_in_the_site(built: BuiltSite) -> None:
    assert not [path for path in built.files if "drafts" in path]


def test_search_index_holds_pages_of_included_sites(built: BuiltSite) -> None:
    index = json.loads(built.files["search/search_index.json"])
    assert {"billing/more/", "teams/blue/", "guides/code/#fences"} <= {each["location"] for each in index["docs"]}


async def test_isolation_changes_nothing_in_a_benign_site(built: BuiltSite, tmp_path: Path) -> None:
    isolated = await ConfigBuilds(tmp_path, isolation=IsolationPolicy()).build(FILES)
    assert isolated.files == built.files


async def test_source_without_configuration_and_index_has_a_front_page_and_edit_links(tmp_path: Path) -> None:
    files = {"README.md": "# Read me\n\n[Other](other.md)\n", "docs/other.md": "# Other\n\n[Gone](gone.md)\n"}
    built = await ConfigBuilds(tmp_path).build(
        files,
        policy=ConfigPolicy(readme_as_index=True),
        edit_links=EditLinks("https://github.com/o/r/tree/main", "https://github.com/o/r/edit/main"),
    )
    assert built.site.site_name == "From the catalog"
    assert "https://github.com/o/r/edit/main/docs/index.md" in built.page("index.html")
    (warning,) = built.warnings
    assert (warning.file, "'gone.md'" in warning.message) == ("docs/other.md", True)


async def test_plugin_that_the_operator_allows_is_used(tmp_path: Path) -> None:
    config = "site_name: Tags\ntheme: material\nplugins:\n  - tags:\n      tags_slugify: x\n      tags_file: all.md\n"
    pages = {"docs/index.md": "---\ntags: [blue]\n---\n# One\n", "docs/all.md": "# All\n"}
    policy = ConfigPolicy(plugins=(AllowedPlugin("tags", ("tags_file",)),))
    built = await ConfigBuilds(tmp_path).build({"mkdocs.yml": config, **pages}, policy=policy)
    assert 'class="md-tag"' in built.page("index.html")
    assert "'plugins: tags: tags_slugify' was left out" in built.messages


async def test_mapping_forms_say_the_same_as_lists(tmp_path: Path) -> None:
    config = (
        "site_name: Maps\ntheme: material\nplugins:\n  search: {}\n  techdocs-core:\n"
        "markdown_extensions:\n  toc:\n    permalink: true\n  attr_list:\n  pymdownx.superfences: {}\n"
        "  materialx_is_not_one:\n"
    )
    pages = {"docs/index.md": "# One\n\nText{.x}\n\n## Two\n"}
    builds = ConfigBuilds(tmp_path)
    site = await builds.build({"mkdocs.yml": config, **pages})
    assert [warning.line for warning in site.warnings] == [11]
    assert site.files == builds.plain({"mkdocs.yml": config.replace("  materialx_is_not_one:\n", ""), **pages})
