"""Turning what a build prints into lines of log that are safe to show and to store."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from techdocs_server.domain.build import MAX_LINE_BYTES

CUT_MARK = " [line cut]"

# Terminal sequences: CSI (colours), OSC (titles and links, ended by BEL or ST), and the two-character ones.
_TERMINAL = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LINE_SEPARATOR = re.compile(r"[\u2028\u2029]")
_AFTER_A_PATH = r"\s'\"`,;:)\]}>"


class LineSplitter:
    """Cuts a stream of bytes into lines, keeping at most ``limit_bytes`` of each.

    What exceeds the limit is dropped as it arrives, so the memory used does not
    depend on what is printed.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._partial = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield each line that data completes, without its newline."""
        *complete, rest = data.split(b"\n")
        for piece in complete:
            self._add(piece)
            yield self._take()
        self._add(rest)

    def skip(self, data: bytes, *, unless: bytes) -> bool:
        """Drop data and the line it goes on with, unless a byte stands in either; return whether they are dropped."""
        if unless in data or unless in self._partial:
            return False
        self._partial.clear()
        return True

    def end(self) -> Iterator[bytes]:
        """Yield the line that lacks its newline, if there is one."""
        if self._partial:
            yield self._take()

    def _add(self, piece: bytes) -> None:
        self._partial += piece[: self._limit_bytes - len(self._partial)]

    def _take(self) -> bytes:
        line = bytes(self._partial)
        self._partial.clear()
        return line


def clean_text(text: str) -> str:
    """Return a text without colours, control characters and broken characters; tabs become blanks."""
    visible = _CONTROL.sub("", _TERMINAL.sub("", text.expandtabs(4)))
    return _LINE_SEPARATOR.sub(" ", visible).encode("utf-8", "replace").decode("utf-8")


def cut_text(text: str) -> str:
    """Return a text of at most `MAX_LINE_BYTES` in UTF-8, marked when something was cut off."""
    content = text.encode("utf-8")
    if len(content) <= MAX_LINE_BYTES:
        return text
    return content[: MAX_LINE_BYTES - len(CUT_MARK)].decode("utf-8", "ignore") + CUT_MARK


class MachinePaths:
    """Replaces absolute folders of this machine in texts by the names given for them.

    The empty name makes what is below the folder relative, and ``.`` of the folder itself.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        # The longest first: a folder inside another one has its own name.
        folders = sorted(names, key=len, reverse=True)
        self._pattern = re.compile(rf"(?<![\w.-])({_any_of(folders)})(?:(/)(?=[^{_AFTER_A_PATH}])|/?(?![\w-]))")

    def replaced(self, text: str) -> str:
        """Return a text with every path renamed."""
        return self._pattern.sub(self._rename, text)

    def _rename(self, match: re.Match[str]) -> str:
        name = self._names[match[1]]
        if match[2]:
            return f"{name}/" if name else ""
        return name or "."


def _any_of(folders: Iterable[str]) -> str:
    return "|".join(re.escape(folder) for folder in folders)
