"""URLs as strangers write them, taken apart once and strictly.

What is accepted here has one meaning for us, for git and for the host. The rest
is refused instead of repaired.
"""

from __future__ import annotations

import re
import urllib.parse
from dataclasses import dataclass
from typing import Self

_MAX_CHARACTERS = 2048
_DEFAULT_PORTS = {"http": 80, "https": 443}
# Letters, digits, hyphens and dots, or an IPv6 address in brackets. Names beyond ASCII are written in punycode.
_NAME = re.compile(r"[a-z0-9_]([a-z0-9._-]*[a-z0-9])?\.?|\[[0-9a-f:.]+\]", re.ASCII)


class URLRefused(Exception):
    """A URL that is not accepted. The message says why and never repeats the URL, which may hold a password."""


@dataclass(frozen=True, slots=True)
class WebURL:
    """A URL without credentials.

    ``host`` is the name, with the port unless it is the scheme's own; empty for
    ``file:``. ``segments`` are the parts of the path, percent-decoded one by one, so
    that one may hold a slash; none is empty, ``.`` or ``..``. The fragment is dropped.
    """

    scheme: str
    host: str
    segments: tuple[str, ...]
    ends_with_slash: bool
    query: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Take a URL apart. Raises `URLRefused`."""
        if len(text) > _MAX_CHARACTERS:
            raise URLRefused(f"it is longer than {_MAX_CHARACTERS} characters")
        if any(character.isspace() or not character.isprintable() or character == "\\" for character in text):
            raise URLRefused("it holds spaces, control characters or backslashes")
        try:
            parts = urllib.parse.urlsplit(text)
            port = parts.port
        except ValueError as error:
            raise URLRefused("it is not a URL") from error
        if parts.scheme not in ("http", "https", "file"):
            raise URLRefused("it must begin with https://")
        if "@" in parts.netloc:
            raise URLRefused(
                "it holds a user name or password; take that out, the operator sets tokens in source_hosts"
            )
        return cls(
            scheme=parts.scheme,
            host=_host(parts, port),
            segments=tuple(_segment(part) for part in parts.path.split("/") if part),
            ends_with_slash=parts.path.endswith("/"),
            query=parts.query,
        )

    @property
    def origin(self) -> str:
        """Scheme and host."""
        return f"{self.scheme}://{self.host}"

    @property
    def name(self) -> str:
        """The host's name or address, without port and brackets."""
        return urllib.parse.urlsplit(self.origin).hostname or ""

    @property
    def port(self) -> int:
        """The port, the scheme's own when none is written; 0 for ``file:``."""
        return urllib.parse.urlsplit(self.origin).port or _DEFAULT_PORTS.get(self.scheme, 0)

    @property
    def target(self) -> str:
        """Path and query, as a request line has them."""
        path = "/" + joined(self.segments) + ("/" if self.ends_with_slash and self.segments else "")
        return f"{path}?{self.query}" if self.query else path

    @property
    def shown(self) -> str:
        """The URL without its query, for people."""
        return self.origin + "/" + joined(self.segments)

    def parameters(self) -> dict[str, str]:
        """Return the query's values by name; of several the last."""
        return dict(urllib.parse.parse_qsl(self.query))

    def __str__(self) -> str:
        return self.origin + self.target


def joined(segments: tuple[str, ...]) -> str:
    """Return segments as the path of a URL, without a slash in front; slashes inside a segment are encoded."""
    return "/".join(urllib.parse.quote(segment, safe="-._~!$&'()*+,;=:@") for segment in segments)


def _host(parts: urllib.parse.SplitResult, port: int | None) -> str:
    if parts.scheme == "file":
        if parts.netloc:
            raise URLRefused("a file URL must begin with file:///")
        return ""
    name = parts.netloc.lower().rpartition(":")[0] if port is not None else parts.netloc.lower().removesuffix(":")
    if not _NAME.fullmatch(name):
        raise URLRefused("it names no host")
    return name if port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{name}:{port}"


def _segment(text: str) -> str:
    try:
        segment = urllib.parse.unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise URLRefused("its path is not UTF-8") from error
    if segment in (".", "..") or "\\" in segment or not segment.isprintable():
        raise URLRefused("its path holds '.', '..', control characters or backslashes")
    return segment
