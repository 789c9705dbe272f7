"""Paths inside a site."""

from __future__ import annotations

INDEX = "index.html"
_MAX_BYTES = 1024


def path_problem(path: str) -> str | None:
    """Say what makes a path unsafe or impossible as that of a file in a site, or return None.

    A path is relative, has ``/`` between its segments, and no segment is empty,
    ``.`` or ``..``; it holds no backslash and no control character.
    """
    if not path:
        return "must not be empty"
    if len(path.encode("utf-8", "surrogatepass")) > _MAX_BYTES:
        return f"must not be longer than {_MAX_BYTES} bytes"
    if "\\" in path or any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000 for c in path):
        return "must not have backslashes, control characters or broken characters"
    if any(segment in ("", ".", "..") for segment in path.split("/")):
        return "must be relative and must not have empty, . or .. segments"
    return None


def index_candidates(path: str) -> tuple[str, ...]:
    """Return the files a requested path may mean, the likeliest first.

    Empty or ending in a slash is a directory and means its index.html; any other
    is the file itself, or the directory of that name.
    """
    if not path or path.endswith("/"):
        return (path + INDEX,)
    return (path, f"{path}/{INDEX}")
