"""Paths and links of a configuration: where they may lead."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from techdocs_server.sandbox.config.nodes import Node
from techdocs_server.sandbox.config.reading import Spot, Unfit
from techdocs_server.sandbox.config.schema import text

# Browsers drop these from inside a link, so that a harmless-looking text becomes another scheme.
_HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*):")
_WEB_SCHEMES = frozenset({"http", "https"})
_LINK_SCHEMES = _WEB_SCHEMES | {"mailto", "tel"}
_MAX_PATH = 1_000
# Of every file system in use; a longer name is an error, not a file that is not there.
_MAX_NAME = 255


def inside_tree(path: str, *, folder: PurePosixPath | None = None) -> PurePosixPath | None:
    """Return a path seen from the root of the tree, or None when it is absolute, leaves the tree, or is no path.

    ``folder`` is where it starts, relative to the root (the default). Links are
    not looked at, see `has_link`.
    """
    if path.startswith("/") or "\\" in path or len(path) > _MAX_PATH or _HIDDEN.search(path):
        return None
    if any(len(part.encode("utf-8", "replace")) > _MAX_NAME for part in path.split("/")):
        return None
    parts = list(folder.parts) if folder else []
    for part in path.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return PurePosixPath(*parts)


def has_link(tree: Path, path: PurePosixPath) -> bool:
    """Whether any part of a path below the tree is a link. Copied trees have none; this holds without that, too."""
    return any((tree / step).is_symlink() for step in (path, *path.parents) if step != PurePosixPath())


def is_web_url(link: str) -> bool:
    """Whether a text is an http or https URL with a host."""
    if _HIDDEN.search(link) or link != link.strip():
        return False
    try:
        parts = urlsplit(link)
        return parts.scheme in _WEB_SCHEMES and bool(parts.hostname)
    except ValueError:
        return False


def is_relative(link: str) -> bool:
    """Whether a text is a link without scheme and host."""
    start = link.lstrip()
    return not _HIDDEN.search(link) and not _SCHEME.match(start) and not re.match(r"[/\\]{2}", start)


def is_link(link: str) -> bool:
    """Whether a text is a link that readers may safely follow: relative, http, https, mailto or tel."""
    scheme = _SCHEME.match(link)
    if scheme:
        return scheme[1].lower() in _LINK_SCHEMES and not _HIDDEN.search(link)
    return is_relative(link)


def web_url(node: Node, spot: Spot) -> str:
    """Read an http or https URL; the empty text is MkDocs' word for none."""
    value = text(node, spot)
    if value and not is_web_url(value):
        raise Unfit("must be a URL that starts with http:// or https://", line=node.line)
    return value


def link(node: Node, spot: Spot) -> str:
    """Read a link as `is_link` allows."""
    value = text(node, spot)
    if not is_link(value):
        raise Unfit("must be a relative link or one of http, https, mailto and tel", line=node.line, is_refused=True)
    return value


def tree_path(node: Node, spot: Spot) -> str:
    """Read a path that stays inside the tree, as the author wrote it; the build runs in the tree's root."""
    value = text(node, spot)
    path = inside_tree(value)
    if path is None or has_link(spot.reading.tree, path):
        raise leaves_tree(node.line)
    # Some readers of paths take them for patterns.
    if any(character in value for character in "*?["):
        raise Unfit("must be a path without the characters * ? [", line=node.line)
    return value


def leaves_tree(line: int) -> Unfit:
    """Return the objection that a path leads out of the source."""
    return Unfit(
        "leads out of the documentation source",
        line=line,
        instead="write a path inside of it, relative and without '..'",
        is_refused=True,
    )


def is_regular_file(tree: Path, path: PurePosixPath) -> bool:
    """Whether a path below the tree is a file, reached without links."""
    return (tree / path).is_file() and not has_link(tree, path)


def as_text(path: PurePosixPath) -> str:
    """Return a path as people write it."""
    return os.fspath(path)
