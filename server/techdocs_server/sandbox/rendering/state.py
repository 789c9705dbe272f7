"""The reuse folder: what a build leaves for the next one of the same site.

``index`` holds a header and one JSON line for each page, ``bodies`` and ``entries``
the large parts that few builds need. It is data of the site, and may be anything:
whatever does not fit its own digests is treated as if it were not there.
"""

from __future__ import annotations

import hashlib
import json
import mmap
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from techdocs_server.sandbox.rendering.records import Head
from techdocs_server.sandbox.rendering.values import Json, digest

FORMAT = 1
"""Counts up with every change of what the folder holds, or of what pages depend on."""

_INDEX, _BODIES, _ENTRIES = "index", "bodies", "entries"
_MOST_INDEX_BYTES = 256 * 1024 * 1024


class StateUnusable(Exception):
    """There is no state, or none that fits. The message says why pages cannot be reused."""


Span = tuple[int, int]
"""A part of one of the two large files: where it begins, and its length."""


@dataclass(frozen=True, slots=True)
class KeptPage:
    """A page as the earlier build left it.

    ``key`` is what its Markdown was rendered from, ``output`` what its file was
    made from, "" when it had none. ``entries`` are its part of the search index,
    made from ``entries_key``.
    """

    key: str
    head: Head
    body: Span
    output: str
    entries_key: str
    entries: Span


@dataclass
class Kept:
    """Everything an earlier build left. ``assets`` has the key of each file that is no page, by its path in the site."""

    pages: Mapping[str, KeptPage] = field(default_factory=dict)
    assets: Mapping[str, str] = field(default_factory=dict)
    _bodies: bytes | mmap.mmap = b""
    _entries: bytes | mmap.mmap = b""

    def body(self, page: KeptPage) -> bytes:
        """Return the body of a page as it is stored; only a wrong writer leaves one that `Body` cannot read."""
        return _part(self._bodies, page.body)

    def entries(self, page: KeptPage) -> bytes:
        """Return a page's part of the search index."""
        return _part(self._entries, page.entries)


def _part(data: bytes | mmap.mmap, span: Span) -> bytes:
    offset, length = span
    return data[offset : offset + length]


@contextmanager
def opened(folder: Path | None, *, identity: str) -> Iterator[Kept]:
    """Read what an earlier build left. ``identity`` names toolchain and rules. Raises `StateUnusable`."""
    if folder is None:
        raise StateUnusable("no earlier build left anything to reuse")
    with ExitStack() as files:
        try:
            kept = _read(folder, identity, files)
        except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as problem:
            raise StateUnusable("the state of the last build is damaged") from problem
        yield kept


def _read(folder: Path, identity: str, files: ExitStack) -> Kept:
    path = folder / _INDEX
    if not path.exists():
        raise StateUnusable("the last build left nothing to reuse")
    if path.stat().st_size > _MOST_INDEX_BYTES:
        raise ValueError("too large")
    header, _, rest = path.read_bytes().partition(b"\n")
    found_identity, *digests = json.loads(header)
    if found_identity != _identity(identity):
        raise StateUnusable("the toolchain or its rules changed since the last build")
    bodies, entries = (files.enter_context(_mapped(folder / name)) for name in (_BODIES, _ENTRIES))
    if digests != [hashlib.sha256(content).hexdigest() for content in (rest, bodies, entries)]:
        raise ValueError("not what its header says")
    pages, assets = _parse(rest.splitlines())
    return Kept(pages, assets, bodies, entries)


@contextmanager
def _mapped(path: Path) -> Iterator[bytes | mmap.mmap]:
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            yield b""
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data


def _parse(lines: list[bytes]) -> tuple[dict[str, KeptPage], dict[str, str]]:
    assets = json.loads(lines[0])
    pages = {}
    for line in lines[1:]:
        uri, key, head, body, output, entries_key, entries = json.loads(line)
        pages[uri] = KeptPage(key, Head.from_json(head), tuple(body), output, entries_key, tuple(entries))
    return pages, assets


def _identity(identity: str) -> str:
    return digest(FORMAT, identity)


class StateWriter:
    """Writes the folder for the next build. Nothing is usable before `finish`."""

    def __init__(self, folder: Path, bodies: BinaryIO, entries: BinaryIO) -> None:
        self._folder = folder
        self._bodies = _Part(bodies)
        self._entries = _Part(entries)
        self._lines: list[bytes] = []

    @classmethod
    @contextmanager
    def into(cls, folder: Path) -> Iterator[StateWriter]:
        """Write into an existing empty folder."""
        with (folder / _BODIES).open("xb") as bodies, (folder / _ENTRIES).open("xb") as entries:
            yield cls(folder, bodies, entries)

    def add(
        self, uri: str, *, key: str, head: Head, body: bytes, output: str, entries_key: str, entries: bytes
    ) -> None:
        """Add a page, named by its source."""
        spans = self._bodies.append(body), self._entries.append(entries)
        line: Json = [uri, key, head.to_json(), spans[0], output, entries_key, spans[1]]
        self._lines.append(json.dumps(line, separators=(",", ":")).encode())

    def finish(self, *, identity: str, assets: Mapping[str, str]) -> None:
        """Write the index: from here on the folder is whole."""
        rest = b"\n".join([json.dumps(assets, separators=(",", ":")).encode(), *self._lines])
        digests = [hashlib.sha256(rest).hexdigest(), self._bodies.digest(), self._entries.digest()]
        header = json.dumps([_identity(identity), *digests]).encode()
        with (self._folder / _INDEX).open("xb") as file:
            file.write(header + b"\n" + rest)


class _Part:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sha256 = hashlib.sha256()
        self._offset = 0

    def append(self, content: bytes) -> Span:
        span = (self._offset, len(content))
        self._file.write(content)
        self._sha256.update(content)
        self._offset += len(content)
        return span

    def digest(self) -> str:
        return self._sha256.hexdigest()
