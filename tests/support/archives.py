"""Archives in memory, good ones and such as no tool would write."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Mapping, Sequence

from tests.support.sites import Files

ARCHIVED: Files = {"mkdocs.yml": "site_name: Demo\n", "docs/index.md": "# Demo\n", "docs/a/Ünïcode.md": "x"}


def tar(files: Files, *, format: int = tarfile.PAX_FORMAT, extra: Sequence[tarfile.TarInfo] = ()) -> bytes:  # noqa: A002 - tarfile's own word
    """Return a tar of files; ``extra`` are members without content, added last."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=format) as archive:
        for name, content in files.items():
            raw = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))
        for member in extra:
            archive.addfile(member)
    return packed.getvalue()


def targz(files: Files, *, format: int = tarfile.PAX_FORMAT, extra: Sequence[tarfile.TarInfo] = ()) -> bytes:  # noqa: A002 - tarfile's own word
    """Return a tar.gz of files."""
    return gzip.compress(tar(files, format=format, extra=extra))


def member(name: str, kind: bytes, *, target: str = "", size: int = 0) -> tarfile.TarInfo:
    """Return a tar member of any type."""
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size = kind, target, size
    return made


def header(name: bytes, kind: bytes, size: int) -> bytes:
    """Return one block of a tar, with a right checksum, whatever it says."""
    block = bytearray(512)
    block[: len(name)] = name
    block[100:108] = b"0000644\0"
    block[124:136] = b"%011o\0" % size if size < 8**11 else b"\x80" + size.to_bytes(11, "big")
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[257:265] = b"ustar\0" + b"00"
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def zipped(files: Files, *, modes: Mapping[str, int] | None = None, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip of files; ``modes`` are their types and permissions as Unix has them."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            info.external_attr = (modes or {}).get(name, 0o100644) << 16
            archive.writestr(info, content)
    return packed.getvalue()
