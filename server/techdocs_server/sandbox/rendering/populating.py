"""Markdown to HTML: for the pages that changed, and from the reuse folder for all others."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from techdocs_server.sandbox.rendering.capture import OpenedFiles, WatchedFiles, answer, tapped_log
from techdocs_server.sandbox.rendering.records import Body, Dependencies, Head
from techdocs_server.sandbox.rendering.values import NotPlain, digest

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

# What pymdownx.snippets begins an inclusion with, and escapes alike.
_SNIPPET = b"8<"


@dataclass(frozen=True, slots=True)
class Rendered:
    """A page whose Markdown is HTML. Without a head it cannot be used again, and its body is left out.

    ``body`` is as `state` stores it: one text of JSON takes less memory than what it says.
    """

    body: bytes
    head: Head | None


class SourceDigests:
    """Digests of files by path, each read once."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def of(self, path: str) -> str:
        """Return the SHA-256 of a file, "" when there is none."""
        if path not in self._known:
            try:
                with Path(path).open("rb") as file:
                    self._known[path] = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError:
                self._known[path] = ""
        return self._known[path]


class PageSources:
    """What the pages of one build are rendered from."""

    def __init__(self, config: MkDocsConfig, files: Files, *, configuration: str, tree: Path) -> None:
        self._config = config
        self._files = files
        self._configuration = configuration
        self._tree = str(tree)
        # Where monorepo puts a copy of every docs folder: a name that is another one in each build.
        self._docs = str(Path(config.docs_dir).absolute())
        self._digests = SourceDigests()
        self._paths: str | None = None
        # These look for files on every page, and do without those that are not there.
        snippets = (config.mdx_configs or {}).get("pymdownx.snippets") or {}
        self._includes = bool(snippets.get("auto_append")) or "pymdownx.b64" in config.markdown_extensions
        self._answers: dict[str, tuple[str, int] | None] = {}

    def key(self, page: Page) -> str:
        """Return what the page is rendered from: configuration, place and text."""
        file = page.file
        source = self._digests.of(file.abs_src_path) if file.abs_src_path else ""
        return digest(self._configuration, file.src_uri, file.url, int(file.inclusion.value), source)

    def _content(self, path: str) -> str:
        """Return the digest of a file by its path in `_name`'s form, "" when there is none."""
        root, _, rest = path.partition(":")
        return self._digests.of(os.path.join(self._docs if root == "docs" else self._tree, rest))  # noqa: PTH118 - hot

    def hold(self, needs: Dependencies) -> bool:
        """Whether everything that a page depended on is as it was."""
        if needs.paths and self.all_paths() not in {content for path, content in needs.opened if path == "*"}:
            return False
        return all(self._answer(uri) == found for uri, found in needs.lookups) and all(
            path == "*" or self._content(path) == content for path, content in needs.opened
        )

    def _answer(self, uri: str) -> tuple[str, int] | None:
        if uri not in self._answers:
            self._answers[uri] = answer(self._files.src_uris.get(uri))
        return self._answers[uri]

    def dependencies(self, page: Page, watched: WatchedFiles, opened: set[str]) -> Dependencies | None:
        """Return what a page asked for, or None when that cannot be said."""
        own = page.file.abs_src_path
        if not watched.is_plain:
            return None
        found = sorted({self._name(path) for path in opened if path != own} - {""})
        uses_snippets = self._includes or self._has_snippet(own) or bool(found)
        contents = [(name, self._content(name)) for name in found]
        if uses_snippets:
            contents.append(("*", self.all_paths()))
        return Dependencies(watched.found(), tuple(contents), paths=uses_snippets)

    def _name(self, path: str) -> str:
        """Return a file of the tree as another build finds it, "" for one of the toolchain."""
        absolute = os.path.abspath(path)  # noqa: PTH100 - an audit hook's text, no file that need exist
        for root, folder in (("docs", self._docs), ("tree", self._tree)):
            if absolute.startswith(folder + os.sep):
                return f"{root}:{absolute[len(folder) + 1 :]}"
        return ""

    def all_paths(self) -> str:
        """Return a digest of which files there are in the tree."""
        if self._paths is None:
            found = []
            for root in {self._tree, self._docs}:
                for folder, _, names in os.walk(root):
                    below = os.path.relpath(folder, root)
                    found += [f"{below}/{name}" for name in names]
            self._paths = digest(sorted(set(found)))
        return self._paths

    @staticmethod
    def _has_snippet(path: str | None) -> bool:
        return path is not None and _SNIPPET in Path(path).read_bytes()


def render(page: Page, config: MkDocsConfig, files: Files, sources: PageSources) -> Rendered:
    """Render the Markdown of a page, as MkDocs does. Raises what MkDocs and plugins raise; it is logged then."""
    from mkdocs.commands import build

    watched = WatchedFiles(files)
    with tapped_log() as messages, OpenedFiles.watched() as opened:
        build._populate_page(page, config, cast("Files", watched), dirty=False)
    body = Body.of(page)
    needs = sources.dependencies(page, watched, opened)
    if needs is None:
        return Rendered(b"", None)
    try:
        return Rendered(body.to_bytes(), Head.of(page, body, tuple(messages), needs))
    except NotPlain:
        return Rendered(b"", None)


def to_bytes(rendered: Rendered) -> bytes:
    """Return a rendered page as a child sends it."""
    head = rendered.head and rendered.head.to_json()
    # JSON has no line feeds of its own here.
    return json.dumps(head, separators=(",", ":")).encode() + b"\n" + rendered.body


def from_bytes(content: bytes) -> Rendered:
    """Return what `to_bytes` was given."""
    head, _, body = content.partition(b"\n")
    document = json.loads(head)
    return Rendered(body, Head.from_json(document) if document else None)
