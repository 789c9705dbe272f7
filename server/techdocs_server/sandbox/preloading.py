"""Loading everything that builds use, by building a small site that uses it."""

from __future__ import annotations

import importlib
import logging
import os
import tempfile
from pathlib import Path

from techdocs_server.sandbox.rendering.site_build import Reuse, build_site

_MODULES = (
    "admonitions.admonition",
    "material.extensions.emoji",
    "material.plugins.search.plugin",
    "mkdocs.contrib.search",
    "mkdocs_monorepo_plugin.plugin",
    "mkdocs_redirects.plugin",
    "pymdownx.arithmatex",
    "pymdownx.snippets",
    "techdocs_server.sandbox.documents",
)
_LANGUAGES = ("python", "bash", "yaml", "json", "java", "typescript", "go", "sql", "xml", "diff", "console", "text")
_CONFIG = (
    "site_name: Warm\nplugins: [techdocs-core]\nnav: [{Home: index.md}, {More: [{One: a/one.md}, {Two: a/two.md}]}]\n"
)
_PAGE = """\
---
description: All that documentation uses
---
# Warm

Text with :smile:, ==marks==, H~2~O, ^up^, a [link](two.md#two), `code`, https://example.com and a note.[^1]

[^1]: The note.

*[HTML]: Hyper Text Markup Language

!!! note "Title"
    Admonition.

??? tip
    Details.

=== "One"
    Tab.

=== "Two"
    Tab.

| a | b |
|---|---|
| 1 | 2 |

- [x] done
- [ ] not

1. one
2. two

"""


def preload() -> None:
    """Import what builds import and fill the caches that they share. What cannot be loaded is left to the builds.

    Uses the folder for temporary files, and the current folder must be one that can be changed from.
    """
    for name in _MODULES:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    _build_small_site()


def _build_small_site() -> None:
    from mkdocs.config import load_config

    loggers = [logging.getLogger(), logging.getLogger("mkdocs")]
    for logger in loggers:
        logger.addHandler(logging.NullHandler())
    before = os.getcwd()  # noqa: PTH109 - goes back there
    with tempfile.TemporaryDirectory() as folder:
        _write_site(Path(folder))
        os.chdir(folder)
        try:
            with Path("mkdocs.yml").open("rb") as file:
                config = load_config(file, site_dir=str(Path(folder, "site")))
            config.plugins.on_startup(command="build", dirty=False)
            build_site(config, Reuse(), _Nobody())
            config.plugins.on_shutdown()
        finally:
            os.chdir(before)
            for logger in loggers:
                logger.handlers.clear()


def _write_site(folder: Path) -> None:
    fences = "\n".join(f"```{language}\nx = 1 # {{}}\n```\n" for language in _LANGUAGES)
    (folder / "docs" / "a").mkdir(parents=True)
    (folder / "mkdocs.yml").write_text(_CONFIG)
    (folder / "docs" / "index.md").write_text("# Home\n")
    (folder / "docs" / "a" / "one.md").write_text(_PAGE + fences)
    (folder / "docs" / "a" / "two.md").write_text("# Two\n\n## Two\n")


class _Nobody:
    """Is told how the build goes, and does not care."""

    def progress(self, *, done: int, reused: int, total: int) -> None:
        """Nothing."""

    def reused(self, paths: list[str]) -> None:
        """Nothing."""

    def full_build(self, reason: str) -> None:
        """Nothing."""
