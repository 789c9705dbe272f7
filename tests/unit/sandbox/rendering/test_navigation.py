"""The navigation that pages share is the one they would have had."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from mkdocs.commands.build import get_context
from mkdocs.config import load_config
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files, get_files
from mkdocs.structure.nav import Navigation, get_navigation
from mkdocs.structure.pages import Page
from techdocs_server.sandbox.rendering.navigation import navigation_key, share_navigation

from tests.support.sites import mkdocs_config, write_files

FEATURES = [
    [],
    ["navigation.tabs"],
    ["navigation.tabs", "navigation.sections"],
    ["navigation.sections", "navigation.indexes"],
    ["navigation.expand", "navigation.indexes"],
    ["navigation.prune"],
    ["toc.integrate", "navigation.tabs", "navigation.indexes"],
]
PAGES = [
    "index.md", "about.md", "a/index.md", "a/one.md", "a/two.md", "a/b/index.md", "a/b/deep.md", "a/b/c/deeper.md",
    "ab/one.md", "v1.0/notes.md", "ä ö/seite.md", "z.md",
]  # fmt: skip
NAV = [
    {"Home": "index.md"},
    {"Out": "https://example.com/a/"},
    {"Relative": "a/one/#part"},
    {"Again": "z.md"},
    {"A": ["a/index.md", {"One": "a/one.md"}, {"Deep": ["a/b/index.md", "a/b/deep.md", {"D": ["a/b/c/deeper.md"]}]}]},
    {"Mixed": [{"A two": "a/two.md"}, {"Z again": "z.md"}, "ab/one.md"]},
    {"Rest": ["v1.0/notes.md", "ä ö/seite.md"]},
]


@dataclass
class Site:
    config: MkDocsConfig
    files: Files
    nav: Navigation

    @property
    def pages(self) -> list[Page]:
        return [file.page for file in self.files.documentation_pages() if file.page is not None]

    def html(self, pages: Sequence[Page], *, shared: bool) -> dict[str, str]:
        env = self.config.theme.get_env()
        assert not shared or share_navigation(env), "the theme's templates are the ones that were read"
        template = env.from_string('{% import "partials/language.html" as lang with context %}'
                                   '{% set features = config.theme.features %}'
                                   '{% include "partials/nav.html" %}')  # fmt: skip
        rendered = {}
        for page in pages:
            page.active = True
            rendered[page.file.src_uri] = template.render(get_context(self.nav, self.files, self.config, page))
            page.active = False
        return rendered


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logger = logging.getLogger("mkdocs")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)


def site(folder: Path, features: Sequence[str], *, nav: object, directory_urls: bool = True) -> Site:
    theme = {"name": "material", "features": list(features)}
    config = mkdocs_config("Demo", theme=theme, plugins=[], nav=nav, use_directory_urls=directory_urls)
    icon = "---\nicon: material/home\nstatus: new\nsubtitle: More\n---\n"
    write_files(folder, {f"docs/{page}": f"{icon if 'two' in page else ''}# {page}\n\n## Part\n" for page in PAGES})
    write_files(folder, {"mkdocs.yml": config})
    loaded = load_config(str(folder / "mkdocs.yml"))
    files = get_files(loaded)
    navigation = get_navigation(files, loaded)
    for file in files.documentation_pages():
        page = file.page or Page(None, file, loaded)
        page.read_source(loaded)
        page.render(loaded, files)
    return Site(loaded, files, navigation)


@pytest.mark.parametrize("directory_urls", [True, False], ids=["folders", "files"])
@pytest.mark.parametrize("nav", [NAV, None], ids=["listed", "found"])
@pytest.mark.parametrize("features", FEATURES, ids="+".join)
def test_every_page_has_the_navigation_it_would_have(
    tmp_path: Path, features: list[str], nav: object, directory_urls: bool
) -> None:
    built = site(tmp_path, features, nav=nav, directory_urls=directory_urls)
    pages = built.pages
    plain = built.html(pages, shared=False)
    assert built.html(pages, shared=True) == plain
    shuffled = random.Random(7).sample(pages, len(pages))
    assert built.html(shuffled, shared=True) == plain, "in any order of pages"


def test_another_version_of_the_theme_is_left_alone(tmp_path: Path) -> None:
    built = site(tmp_path, [], nav=None)
    changed = tmp_path / "theme"
    write_files(changed, {"partials/nav.html": "{% for nav_item in nav.items %}{{ nav_item.title }}{% endfor %}"})
    built.config.theme.dirs.insert(0, str(changed))
    assert not share_navigation(built.config.theme.get_env())


def test_the_key_tells_what_readers_see(tmp_path: Path) -> None:
    def key(folder: str, nav: object, text: str = "") -> str:
        built = site(tmp_path / folder, [], nav=nav)
        if text:
            write_files(tmp_path / folder, {"docs/a/two.md": text})
            page = next(page for page in built.pages if page.file.src_uri == "a/two.md")
            page.file._content = None
            page.read_source(built.config)
            page.render(built.config, built.files)
        return navigation_key(built.nav)

    assert key("one", None) == key("two", None)
    keys = [
        key("a", None),
        key("b", NAV),
        key("c", NAV[:-1]),
        key("d", None, "# Another title\n"),
        key("e", None, "---\nicon: material/car\n---\n# a/two.md\n"),
        key("f", None, "---\nstatus: old\n---\n# a/two.md\n"),
    ]
    assert len(set(keys)) == len(keys)
    assert (
        key("g", None, "---\nsubtitle: More\nicon: material/home\nstatus: new\ndescription: x\n---\n# a/two.md\nText\n")
        == keys[0]
    )
