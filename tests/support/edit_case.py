"""A script of edits with a name, and the site that most scripts begin with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.support.edited_sites import Edit
from tests.support.sites import PIXEL_PNG, Files, mkdocs_config

START: Files = {
    "mkdocs.yml": mkdocs_config("Demo", site_description="All of it", repo_url="https://git.example.com/a/b"),
    "docs/index.md": "# Demo\n\nSee [run](guides/run.md#restart) and [nothing](alone.md).\n\n![dot](images/dot.png)\n",
    "docs/alone.md": "# Alone\n\nNo link leads away.\n\n## One\n\n## Two\n",
    "docs/guides/index.md": "# Guides\n\n[Run](run.md), [stop](stop.md)\n",
    "docs/guides/run.md": "# Run\n\n```python\nprint(1)\n```\n\n## Restart\n\n[Stop](stop.md#how)\n",
    "docs/guides/stop.md": "# Stop\n\n## How\n\nAs in [the front page](../index.md).\n",
    "docs/guides/deep/one.md": "# Deep one\n\n[Two](two.md)\n",
    "docs/guides/deep/two.md": "# Deep two\n\n[Top](../../index.md)\n",
    "docs/zeta.md": "# Zeta\n\nThe last one.\n",
    "docs/images/dot.png": PIXEL_PNG,
    "docs/files/data.csv": "a,b\n",
}
NAV = [
    {"Home": "index.md"},
    {"Guides": ["guides/index.md", "guides/run.md", {"Deep": ["guides/deep/one.md", "guides/deep/two.md"]}]},
    {"Elsewhere": "https://example.com/"},
    {"Last": "zeta.md"},
]


def configured(**options: object) -> Edit:
    """Return the edit that gives mkdocs.yml these options."""
    return {"mkdocs.yml": mkdocs_config(**{"site_name": "Demo", **options})}  # type: ignore[arg-type]  # a name is text


@dataclass(frozen=True)
class Case:
    """Edits that are made one after the other to START with ``more``.

    ``reuses`` False: nothing can be reused, for a reason that the test need not know.
    """

    name: str
    edits: Sequence[Edit]
    more: Edit = field(default_factory=dict)
    reuses: bool = True
