"""Documentation in the making: pages, assets and configuration that edits change, and the files that come of it."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import yaml

from tests.support.sites import PIXEL_PNG

T = TypeVar("T")

FOLDERS = ("", "guides/", "guides/deep/", "ops/", "Ops/", "größe/")
NAMES = ("index", "guide", "Guide", "README", "setup", "faq", "two words", "größe", "a.b", "404", "search")
PLACES = tuple(f"{folder}{name}.md" for folder in FOLDERS for name in NAMES)
TITLES = ("Start", "Guide", "Setup & run", "Große <Maße>", "`code` here", "FAQ", "Start", "3", "Two *words*")


class Pick:
    """Choices of an edit: numbers that say which of what there is is meant."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self._numbers = list(numbers)
        self._next = 0

    def number(self, below: int) -> int:
        """Return a number from 0, below a bound."""
        self._next += 1
        return self._numbers[(self._next - 1) % len(self._numbers)] % below

    def of(self, choices: Sequence[T]) -> T:
        """Return one of some choices."""
        return choices[self.number(len(choices))]


@dataclass
class DraftPage:
    """A page: front matter, the heading on top, and what follows. ``raw`` is the whole file instead of all three."""

    title: str | None
    front: dict[str, object] = field(default_factory=dict)
    blocks: list[str] = field(default_factory=list)
    raw: str | bytes | None = None

    def text(self) -> str | bytes:
        """Return the file."""
        if self.raw is not None:
            return self.raw
        front = f"---\n{yaml.safe_dump(self.front, sort_keys=False, allow_unicode=True)}---\n" if self.front else ""
        heading = [] if self.title is None else [f"# {self.title}"]
        return front + "\n\n".join([*heading, *self.blocks]) + "\n"


@dataclass
class Draft:
    """A documentation source. ``pages`` and ``assets`` are below docs, ``others`` below the root."""

    pages: dict[str, DraftPage] = field(default_factory=dict)
    assets: dict[str, str | bytes] = field(default_factory=dict)
    others: dict[str, str | bytes] = field(default_factory=dict)
    config: dict[str, object] = field(default_factory=dict)

    @classmethod
    def of_size(cls, pages: int) -> Draft:
        """Return a new source of some pages."""
        draft = cls(config={"site_name": "Site", "plugins": ["techdocs-core"]})
        for number in range(pages):
            draft.pages[PLACES[(number * 13) % len(PLACES)]] = DraftPage(
                TITLES[number % len(TITLES)],
                blocks=[f"Text of page {number}.", "## First", "More.", "## Second", "End."],
            )
        draft.assets["images/logo.png"] = PIXEL_PNG
        draft.assets["includes/shared.md.txt"] = "Shared *text*, [a page](index.md).\n"
        draft.assets["icons/our/mark.svg"] = _icon(1)
        draft.assets["extra.css"] = ".a { color: red }\n"
        draft.others["includes/abbreviations.md"] = "*[HTML]: Hyper Text\n"
        return draft

    def files(self) -> dict[str, str | bytes]:
        """Return every file by its path."""
        return {
            "mkdocs.yml": yaml.safe_dump(self.config, sort_keys=False, allow_unicode=True),
            **{f"docs/{path}": page.text() for path, page in self.pages.items()},
            **{f"docs/{path}": content for path, content in self.assets.items()},
            **self.others,
        }

    def page(self, pick: Pick) -> tuple[str, DraftPage]:
        """Return one of the pages; there is always one."""
        path = pick.of(sorted(self.pages))
        return path, self.pages[path]


def link_between(source: str, target: str) -> str:
    """Return the relative link from a page to a file."""
    return posixpath.relpath(target, posixpath.dirname(source) or ".").replace(" ", "%20")


def _icon(size: int) -> str:
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} 1"><path d="M0 0h1v1z"/></svg>\n'
