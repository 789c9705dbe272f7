"""Whether pages of a site depend on nothing but what this package looks at."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import TYPE_CHECKING

from techdocs_server.sandbox.rendering.populating import SourceDigests
from techdocs_server.sandbox.rendering.values import Json, NotPlain, named

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

# Read line by line: they hold no state that one page leaves for another but what is looked at here.
_PROVEN_PLUGINS = frozenset(
    {
        "admonitions.admonition.AdmonitionConverter",
        "mkdocs.contrib.search.SearchPlugin",
        "mkdocs_monorepo_plugin.plugin.MonorepoPlugin",
        "mkdocs_redirects.plugin.RedirectPlugin",
        "techdocs_core.core.TechDocsCore",
        "techdocs_server.sandbox.documents.DocumentRules",
    }
)
# What these decide is looked at where it takes effect: in the navigation, in the set of files, and in where they are.
_LIVE = frozenset(
    {
        "config_file_path", "docs_dir", "draft_docs", "exclude_docs", "hooks", "markdown_extensions", "nav", "not_in_nav",
        "plugins", "site_dir", "theme", "watch",
    }
)  # fmt: skip
_SEARCH = "mkdocs.contrib.search.SearchPlugin"
_MATERIAL_SEARCH = "material.plugins.search.plugin.SearchPlugin"
_STAND_IN = "techdocs_server.sandbox.diagrams._Preprocessing"


class NotProven(Exception):
    """Pages may depend on more than is looked at. The message says on what."""


def check_pure(config: MkDocsConfig, *, runs_programs: bool) -> None:
    """Return when pages can be rendered on their own, in any order. Raises `NotProven`."""
    for name, plugin in config.plugins.items():
        if _path(type(plugin)) == _MATERIAL_SEARCH and _is_overwritten(plugin, config):
            continue
        if _path(type(plugin)) not in _PROVEN_PLUGINS:
            raise NotProven(f"the plugin {name} is not known to leave pages to themselves")
        if name == "search" and plugin.config.get("prebuild_index"):
            raise NotProven("the search index is built by a program")
    if config.extra_templates:
        raise NotProven("extra_templates may use anything of the site")
    if runs_programs:
        raise NotProven("diagrams are drawn by programs of this machine")
    for folder in config.theme.dirs:
        if Path(folder).resolve().is_relative_to(Path.cwd().resolve()):
            raise NotProven("the theme has a folder in the source")


def configuration_key(config: MkDocsConfig) -> Json:
    """Return JSON that is the same for two configurations that render the same pages alike. Raises `NotProven`."""
    try:
        options = {name: named(value) for name, value in config.items() if name not in _LIVE}
        theme = {
            "name": config.theme.name,
            "variables": named({name: config.theme[name] for name in config.theme if name != "locale"}),
            "templates": sorted(config.theme.static_templates),
            "language": str(config.theme.locale),
        }
        extensions = [_extension(extension) for extension in config.markdown_extensions]
    except NotPlain as problem:
        raise NotProven(f"the configuration holds a {problem}, which has no stable form") from problem
    # Whether Material's is enabled decides what it takes out of pages.
    plugins = sorted([_path(type(plugin)), bool(plugin.config.get("enabled"))] for plugin in config.plugins.values())
    return [options, theme, extensions, plugins, _icons(config)]


def _is_overwritten(plugin: object, config: MkDocsConfig) -> bool:
    """Whether the index of Material's search is written before that of MkDocs' own, which techdocs-core adds.

    Of Material's there is then left what it does to each page by itself: it takes some attributes out.
    """
    writers = [getattr(method, "__self__", None) for method in config.plugins.events["post_build"]]
    own = [at for at, writer in enumerate(writers) if writer is not None and _path(type(writer)) == _SEARCH]
    return plugin in writers and bool(own) and writers.index(plugin) < own[-1]


def _icons(config: MkDocsConfig) -> Json:
    """Return the icons of the source, which Material reads once for all pages: no page is seen to open them."""
    options = ((config.mdx_configs or {}).get("pymdownx.emoji") or {}).get("options") or {}
    digests = SourceDigests()
    found = [
        path
        for folder in options.get("custom_icons") or []
        for path in glob.iglob(f"{glob.escape(str(folder))}/**/*.svg", recursive=True)  # noqa: PTH207 - as Material looks for them
    ]
    return [[path, digests.of(path)] for path in sorted(found)]


def _extension(extension: object) -> Json:
    if isinstance(extension, str):
        return extension
    if _path(type(extension)) == _STAND_IN:
        name = extension._registration[1]  # type: ignore[attr-defined]
        return [_STAND_IN, name]
    raise NotPlain(type(extension).__qualname__)


def _path(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
