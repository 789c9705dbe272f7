"""Rules for the documents themselves, applied inside MkDocs as its last plugin.

MkDocs runs no templates over pages. What a page can still ask for: a template by
name (its front matter), files (snippets, which the new configuration confines),
and commands (diagrams).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.config.base import Config
from mkdocs.plugins import BasePlugin, event_priority

from techdocs_server.sandbox.config.policy import ConfigPolicy
from techdocs_server.sandbox.diagrams import settle_diagrams
from techdocs_server.sandbox.logs import rules_log
from techdocs_server.sandbox.rendering.values import has_too_many_parts
from techdocs_server.sandbox.source_files import SourceFiles

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

_LAST = -100
_TEMPLATE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\.html")


class _NoOptions(Config):  # type: ignore[no-untyped-call]  # MkDocs' class hook has no types
    """What an author may set for these rules: nothing."""


class DocumentRules(BasePlugin[_NoOptions]):  # type: ignore[no-untyped-call]  # MkDocs' class hook has no types
    """Watches every page. A page that breaks a rule is built without what breaks it, and warned of."""

    def __init__(self, policy: ConfigPolicy, sources: SourceFiles) -> None:
        super().__init__()
        self._policy = policy
        self._sources = sources
        self._page = ""

    @event_priority(_LAST)
    def on_config(self, config: MkDocsConfig) -> MkDocsConfig:
        """Settle what other plugins set up before."""
        settle_diagrams(config, may_run=self._policy.diagrams, warn=self._warn)
        return config

    def on_page_markdown(self, markdown: str, /, *, page: Page, config: MkDocsConfig, files: Files) -> str:
        """Check the front matter; the page is rendered next."""
        self._page = self._sources.of_page(page.file.src_uri)
        if has_too_many_parts(page.meta):
            # Aliases make a small text a value without end, which a template would then write out.
            page.meta = {}
            self._warn("the front matter holds too many values once its aliases are followed, and was left out")
        template = page.meta.get("template")
        if template is not None and not _is_of_theme(template, config):
            del page.meta["template"]
            self._warn(f"the template {str(template)[:100]!r} is not one of the theme and was left out")
        return markdown

    def _warn(self, message: str) -> None:
        rules_log(message, file=self._page)


def _is_of_theme(template: object, config: MkDocsConfig) -> bool:
    if not isinstance(template, str) or not _TEMPLATE.fullmatch(template):
        return False
    return any((Path(folder) / template).is_file() for folder in config.theme.dirs)
