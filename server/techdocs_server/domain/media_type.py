"""Media types of site files by their extension."""

from __future__ import annotations

import mimetypes

# The standard library's table depends on files of the machine unless it is told not to read any.
_TYPES = mimetypes.MimeTypes(filenames=())
_MORE = {
    ".avif": "image/avif",
    ".ico": "image/vnd.microsoft.icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}
# Types that are text although their name does not begin with text/.
_TEXTUAL = frozenset(
    {"application/json", "application/xml", "application/yaml", "application/manifest+json", "image/svg+xml"}
)
UNKNOWN = "application/octet-stream"


def media_type(path: str) -> str:
    """Return the media type of a file, with charset=utf-8 for text; unknown is application/octet-stream.

    A compressed file is what it is (``sitemap.xml.gz`` is application/gzip), not
    an encoding of what is inside.
    """
    name = path.rsplit("/", 1)[-1].lower()
    extension = "." + name.rsplit(".", 1)[1] if "." in name else ""
    if extension == ".gz":
        return "application/gzip"
    found = _MORE.get(extension) or _TYPES.types_map[True].get(extension) or UNKNOWN
    if found.startswith("text/") or found in _TEXTUAL:
        return f"{found}; charset=utf-8"
    return found
