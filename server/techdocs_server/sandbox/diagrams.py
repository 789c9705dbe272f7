"""Diagrams in documents, which mkdocs-techdocs-core renders by running ``dot`` and ``plantuml``.

Where they may not run, or are not installed, a diagram is shown as its code. The
extensions themselves are then not in the build: without their commands one ends
the build, and the other puts its error in place of the rest of the page.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from markdown.extensions import Extension  # type: ignore[import-untyped]  # ships no types

from techdocs_server.sandbox.diagram_code import (
    GraphvizAsCode,
    PlantUMLAsCode,
    SourceWatcher,
    Warn,
)

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

_GRAPHVIZ = "markdown_inline_graphviz"
_PLANTUML = "plantuml_markdown"
# The places of the two among other preprocessors: snippets (32) come between, code fences (25) after both.
_PRIORITIES = {_GRAPHVIZ: 40.0, _PLANTUML: 30.0}
_COMMANDS = {_GRAPHVIZ: "dot", _PLANTUML: "plantuml"}
_AS_CODE: dict[str, Callable[[Warn], _Preprocessor]] = {_GRAPHVIZ: GraphvizAsCode, _PLANTUML: PlantUMLAsCode}
_ADVICE = "use a mermaid fence, or commit the picture"


class _Preprocessor(Protocol):
    """What Python-Markdown gives the lines of a page to, and takes them from."""

    def run(self, lines: list[str]) -> list[str]: ...


class _Preprocessing(Extension):  # type: ignore[misc]  # untyped, see above
    """An extension that is one preprocessor."""

    def __init__(self, name: str, priority: float, preprocessor: _Preprocessor) -> None:
        super().__init__()
        self._registration = (preprocessor, name, priority)

    def extendMarkdown(self, md: object) -> None:  # noqa: N802 - Python-Markdown's name
        """Register the preprocessor."""
        md.preprocessors.register(*self._registration)  # type: ignore[attr-defined]  # untyped, see above


def settle_diagrams(config: MkDocsConfig, *, may_run: bool, warn: Warn) -> None:
    """Decide for both kinds of diagrams whether their command runs in this build.

    Called when every plugin has set up its extensions. ``warn`` gets messages
    about the page that is being rendered.
    """
    if may_run:
        # PlantUML reads files and URLs that a diagram includes, unless it is told not to.
        os.environ["PLANTUML_SECURITY_PROFILE"] = "SANDBOX"
        # No folder to look for external diagrams in: the extension would follow any path.
        config.mdx_configs.setdefault(_PLANTUML, {})["base_dir"] = []
        watcher = _Preprocessing("plantuml_sources", _PRIORITIES[_PLANTUML] + 0.5, SourceWatcher(warn))
        config.markdown_extensions.append(watcher)
    for name, command in _COMMANDS.items():
        if not may_run:
            _show_as_code(config, name, warn, "builds do not run commands here")
        elif not shutil.which(command):
            _show_as_code(config, name, warn, f"{command} is not installed")


def _show_as_code(config: MkDocsConfig, name: str, warn: Warn, why: str) -> None:
    def explain(diagram: str) -> None:
        warn(f"{diagram} is shown as code: {why}; {_ADVICE}")

    config.mdx_configs.pop(name, None)
    kept = [extension for extension in config.markdown_extensions if extension != name]
    stand_in = _Preprocessing(f"{name}_as_code", _PRIORITIES[name], _AS_CODE[name](explain))
    config.markdown_extensions = [*kept, stand_in]
