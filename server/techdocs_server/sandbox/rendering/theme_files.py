"""The names of a theme's files. Material's icons are 14,000 of them, and MkDocs lists them in every build to leave them out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jinja2

_INSTALLED = frozenset({"site-packages", "dist-packages"})


def list_quickly(env: jinja2.Environment) -> None:
    """Make an environment list its templates without hidden files and folders, and installed ones once per process.

    MkDocs leaves out what is hidden (`Files.add_files_from_theme`), and nobody else lists.
    """
    from jinja2 import FileSystemLoader

    if type(env.loader) is not FileSystemLoader:
        return

    class Listing(FileSystemLoader):
        def list_templates(self) -> list[str]:
            return sorted({name for folder in self.searchpath for name in _names(folder)})

    env.loader = Listing(env.loader.searchpath, env.loader.encoding, env.loader.followlinks)


def _names(folder: str) -> frozenset[str]:
    if _INSTALLED.isdisjoint(Path(folder).parts):
        return _walked(folder)
    if folder not in _KNOWN:
        _KNOWN[folder] = _walked(folder)
    return _KNOWN[folder]


def _walked(folder: str) -> frozenset[str]:
    found: set[str] = set()
    for current, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        below = os.path.relpath(current, folder).replace(os.sep, "/")
        prefix = "" if below == "." else f"{below}/"
        found.update(prefix + name for name in names if not name.startswith("."))
    return frozenset(found)


_KNOWN: dict[str, frozenset[str]] = {}
