"""Reading a tar archive from a stream, with bounded memory.

The standard library's reader keeps extension headers and sparse maps of any
length in memory, and a few kilobytes of a stranger's archive can describe gigabytes of them.
Documentation needs none of that: here an extension is short, a sparse file refused, and
nothing is kept between entries. Formats: POSIX ustar and pax, and GNU's long names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from techdocs_server.adapters.sources.problems import refused
from techdocs_server.adapters.sources.unpacking import ArchiveEntry

_BLOCK = 512
_CHUNK_BYTES = 256 * 1024
_MAX_EXTENSION_BYTES = 64 * 1024
_FILES = (b"0", b"\0", b"7")
_FOLDER = b"5"
_SKIPPED = {
    b"1": "a link",
    b"2": "a link",
    b"3": "a device",
    b"4": "a device",
    b"6": "a named pipe",
}
_RECORD = re.compile(rb"(\d{1,8}) ([^=]+)=")

Read = Callable[[int], bytes]
"""Returns exactly so many bytes, fewer only at the end of the stream."""


@dataclass(slots=True)
class _Extension:
    """What headers in front of an entry say of it."""

    name: bytes | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class _Header:
    name: bytes
    type: bytes
    size: int


def read_tar(read: Read) -> Iterator[ArchiveEntry]:
    """Yield the entries of an archive; what is not read of one is skipped. Raises `BuildStepFailed` when it is broken."""
    extension = _Extension()
    while (header := _header(_block(read))) is not None:
        if header.type in (b"x", b"L", b"K", b"g"):
            _extend(extension, header, read)
            continue
        size = header.size if extension.size is None else extension.size
        name = header.name if extension.name is None else extension.name
        extension = _Extension()
        if header.type == b"S":
            raise refused("the archive holds a sparse file, which is not supported")
        # Links and folders have no content, whatever the size says: POSIX for links, every reader for folders.
        is_file = header.type in _FILES
        content = _content(read, size if is_file or header.type not in (*_SKIPPED, _FOLDER) else 0)
        yield _entry(header, name, content)
        for _ in content:
            pass


def _entry(header: _Header, name: bytes, content: Iterator[bytes]) -> ArchiveEntry:
    # Old archives know folders by the slash at the end alone.
    if header.type == _FOLDER or (header.type in _FILES and name.endswith(b"/")):
        return ArchiveEntry(name)
    if header.type in _FILES:
        return ArchiveEntry(name, content)
    return ArchiveEntry(name, left_out=_SKIPPED.get(header.type, "of a kind that is not known"))


def _block(read: Read) -> bytes:
    block = read(_BLOCK)
    # An archive ends with blocks of zeros; some writers leave them away.
    if block and len(block) < _BLOCK:
        raise _broken("it ends early")
    return block


def _header(block: bytes) -> _Header | None:
    """Return what a header says, None at the end of the archive."""
    if not block.strip(b"\0"):
        return None
    # The sum counts its own field as spaces; some writers sum signed bytes.
    summed = block[:148] + b" " * 8 + block[156:]
    sums = (sum(summed), sum(byte - 256 if byte > 127 else byte for byte in summed))
    if _number(block[148:156]) not in sums:
        raise _broken("a header's checksum is wrong")
    name = block[:100].split(b"\0")[0]
    if block[257:263] == b"ustar\0" and (prefix := block[345:500].split(b"\0")[0]):
        name = prefix + b"/" + name
    return _Header(name, block[156:157], _number(block[124:136]))


def _number(field: bytes) -> int:
    if field[0] == 0x80:
        # GNU's form for numbers beyond 8 GiB.
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    if not digits:
        return 0
    if not re.fullmatch(rb"[0-7]+", digits):
        raise _broken("a header holds no number where one belongs")
    return int(digits, 8)


def _extend(extension: _Extension, header: _Header, read: Read) -> None:
    if header.size > _MAX_EXTENSION_BYTES:
        raise refused(f"the archive has a header of {header.size} bytes; at most {_MAX_EXTENSION_BYTES} are read")
    content = b"".join(_content(read, header.size))
    if header.type == b"L":
        extension.name = content.split(b"\0")[0]
    elif header.type == b"x":
        _extend_by_pax(extension, content)
    # K names the target of a link, g speaks of all entries (git writes the commit there): neither changes a file.


def _extend_by_pax(extension: _Extension, content: bytes) -> None:
    """Read records ``<length> <key>=<value>\\n``, whose length counts itself. Source: POSIX, pax."""
    position = 0
    while position < len(content):
        found = _RECORD.match(content, position)
        end = position + int(found[1]) if found else 0
        if found is None or not found.end() < end <= len(content) or content[end - 1 : end] != b"\n":
            raise _broken("an extended header is malformed")
        key, value = found[2], content[found.end() : end - 1]
        if key == b"path":
            extension.name = value
        elif key == b"size":
            if not re.fullmatch(rb"\d{1,20}", value):
                raise _broken("an extended header is malformed")
            extension.size = int(value)
        elif key.startswith(b"GNU.sparse."):
            raise refused("the archive holds a sparse file, which is not supported")
        position = end


def _content(read: Read, size: int) -> Iterator[bytes]:
    left = size
    while left:
        chunk = read(min(left, _CHUNK_BYTES))
        if not chunk:
            raise _broken("it ends early")
        left -= len(chunk)
        yield chunk
    padding = -size % _BLOCK
    if len(read(padding)) < padding:
        raise _broken("it ends early")


def _broken(why: str) -> Exception:
    return refused(f"the archive is broken: {why}")
