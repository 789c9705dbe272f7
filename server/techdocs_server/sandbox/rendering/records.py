"""What is known of a page once its Markdown is rendered, and what that depends on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from techdocs_server.sandbox.rendering.values import Json, decode, digest, encode

if TYPE_CHECKING:
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page
    from mkdocs.structure.toc import AnchorLink, TableOfContents

Lookup = tuple[str, tuple[str, int] | None]
"""A path that a page looked for among the site's files: its URL and inclusion level, or None when there was no such file."""
Message = tuple[str, int, str]
"""A line of log: its logger, its level as a number, its text."""


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What a rendered page depends on beyond its own source and the configuration.

    ``opened`` are files by their path in the tree, with the digest of what was
    read. With ``paths`` it depends on which files exist at all.
    """

    lookups: tuple[Lookup, ...] = ()
    opened: tuple[tuple[str, str], ...] = ()
    paths: bool = False


@dataclass(frozen=True, slots=True)
class Body:
    """The large part of a page."""

    content: str
    toc: Json

    def to_json(self) -> Json:
        """Return what `from_json` understands."""
        return [self.content, self.toc]

    @classmethod
    def from_json(cls, document: Json) -> Body:
        """Raise `ValueError` for anything else than `to_json` gives."""
        content, toc = document
        if not isinstance(content, str):
            raise ValueError("a page has no text")
        return cls(content, toc)

    def to_bytes(self) -> bytes:
        """Return the form in which bodies are stored, which has no line feed."""
        return json.dumps(self.to_json(), separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Body:
        """Raise `ValueError` for anything else than `to_bytes` gives."""
        return cls.from_json(json.loads(content))

    @classmethod
    def of(cls, page: Page) -> Body:
        """Take the body of a rendered page."""
        return cls(page.content or "", [_to_json(item) for item in page.toc])

    def restore(self, page: Page) -> None:
        """Give a page its body, as if it had been rendered."""
        page.content = self.content
        page.toc = _table(self.toc)


@dataclass(frozen=True, slots=True)
class Head:
    """The small part of a page: what other pages and the navigation may ask of it.

    ``meta`` is front matter as `values.encode` gives it. ``links`` are those to anchors, by the file they lead to.
    """

    title: str | None
    meta: Json
    anchors: tuple[str, ...]
    links: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    messages: tuple[Message, ...]
    body: str
    dependencies: Dependencies = field(default_factory=Dependencies)

    @classmethod
    def of(cls, page: Page, body: Body, messages: tuple[Message, ...], dependencies: Dependencies) -> Head:
        """Take the head of a rendered page. Raises `NotPlain` when its front matter has no form as data."""
        links = page.links_to_anchors or {}
        return cls(
            title=page._title_from_render,
            meta=encode(dict(page.meta)),
            anchors=tuple(sorted(page.present_anchor_ids or ())),
            links=tuple((file.src_uri, tuple(found.items())) for file, found in links.items()),
            messages=messages,
            body=digest(body.to_json()),
            dependencies=dependencies,
        )

    def to_json(self) -> Json:
        """Return what `from_json` understands."""
        needs = self.dependencies
        return [
            self.title, self.meta, self.anchors, self.links, self.messages, self.body, needs.lookups, needs.opened,
            needs.paths,
        ]  # fmt: skip

    @classmethod
    def from_json(cls, document: Json) -> Head:
        """Raise `ValueError`, `TypeError` or `LookupError` for anything else than `to_json` gives."""
        title, meta, anchors, links, messages, body, lookups, opened, paths = document
        return cls(
            title=title,
            meta=meta,
            anchors=tuple(anchors),
            links=tuple((uri, tuple((anchor, link) for anchor, link in found)) for uri, found in links),
            messages=tuple((name, level, text) for name, level, text in messages),
            body=body,
            dependencies=Dependencies(
                lookups=tuple((uri, (answer[0], answer[1]) if answer else None) for uri, answer in lookups),
                opened=tuple((path, content) for path, content in opened),
                paths=bool(paths),
            ),
        )

    def restore(self, page: Page, files: Files) -> None:
        """Make a page what it was when it was rendered, but for its body. Raises `LookupError` when a file is gone."""
        meta = decode(self.meta)
        if not isinstance(meta, dict):
            raise LookupError("front matter is no mapping")
        page.markdown = ""
        page.meta = meta
        page.content = ""
        page._title_from_render = self.title
        page.present_anchor_ids = set(self.anchors)
        page.links_to_anchors = {}
        for uri, found in self.links:
            file = files.get_file_from_path(uri)
            if file is None:
                raise LookupError(uri)
            page.links_to_anchors[file] = dict(found)


def _to_json(item: AnchorLink) -> Json:
    return [str(item.title), item.id, item.level, [_to_json(child) for child in item.children]]


def _table(items: Json) -> TableOfContents:
    from mkdocs.structure.toc import TableOfContents

    links = [_link(item) for item in items]
    if links:
        # As MkDocs' get_toc does for the first one.
        links[0].active = True  # type: ignore[attr-defined]  # set by MkDocs alike
    return TableOfContents(links)


def _link(item: Json) -> AnchorLink:
    from mkdocs.structure.toc import AnchorLink

    title, anchor, level, children = item
    link = AnchorLink(title, anchor, level)
    link.children = [_link(child) for child in children]
    return link
