"""Reading a zip archive from a file, with bounded memory.

The table of contents is counted before the standard library reads it whole.
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from techdocs_server.adapters.sources.inflation import InflationMeter
from techdocs_server.adapters.sources.problems import refused
from techdocs_server.adapters.sources.unpacking import ArchiveEntry
from techdocs_server.domain.errors import QuotaExceeded

_CHUNK_BYTES = 256 * 1024
_END_MARK, _END_BYTES = b"PK\x05\x06", 22
_MAX_COMMENT_BYTES = 65_535
_BIG_MARK, _BIG_BYTES = b"PK\x06\x07", 20
_RECORD_MARK, _RECORD_BYTES = b"PK\x01\x02", 46
_ENCRYPTED = 0x1
# LZMA's and bzip2's own memory is for the packer to choose; nobody packs documentation so.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_zip(file: BinaryIO, meter: InflationMeter, *, max_entries: int) -> Iterator[ArchiveEntry]:
    """Yield the entries of an archive; each content is read before the next entry is asked for.

    Raises `BuildStepFailed` when it is broken, `QuotaExceeded` beyond so many
    entries and the limits of the meter, which has taken the packed bytes.
    """
    _count(file, max_entries)
    with _broken_as_refused(), zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            yield _entry(archive, member, meter)


def _entry(archive: zipfile.ZipFile, member: zipfile.ZipInfo, meter: InflationMeter) -> ArchiveEntry:
    # Names beyond ASCII come decoded; what was no UTF-8 came from an old table of characters.
    name = member.orig_filename.encode("utf-8", "surrogateescape")
    if member.flag_bits & _ENCRYPTED:
        raise refused("the archive is encrypted, which is not supported")
    mode = stat.S_IFMT(member.external_attr >> 16)
    if mode == stat.S_IFLNK:
        return ArchiveEntry(name, left_out="a link")
    if name.endswith(b"/") or mode == stat.S_IFDIR:
        return ArchiveEntry(name)
    if mode not in (0, stat.S_IFREG):
        return ArchiveEntry(name, left_out="neither a file nor a folder")
    if member.compress_type not in _METHODS:
        raise refused("the archive is packed in a way that is not supported", hint="pack it with deflate, or as tar.gz")
    return ArchiveEntry(name, _content(archive, member, meter))


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo, meter: InflationMeter) -> Iterator[bytes]:
    with _broken_as_refused(), archive.open(member) as content:
        while chunk := content.read(_CHUNK_BYTES):
            meter.take_inflated(len(chunk))
            yield chunk


def _count(file: BinaryIO, max_entries: int) -> None:
    """Walk the table of contents record by record. Source: PKWARE APPNOTE 4.3.12 and 4.3.16."""
    end, size = _table(file)
    file.seek(end - size)
    count = 0
    while file.tell() < end:
        record = file.read(_RECORD_BYTES)
        if len(record) < _RECORD_BYTES or not record.startswith(_RECORD_MARK):
            raise _broken()
        count += 1
        if count > max_entries:
            raise QuotaExceeded(f"the archive has more than {max_entries} entries")
        file.seek(sum(struct.unpack_from("<HHH", record, 28)), 1)


def _table(file: BinaryIO) -> tuple[int, int]:
    """Return where the table of contents ends, and its size."""
    total = file.seek(0, 2)
    start = max(0, total - _END_BYTES - _MAX_COMMENT_BYTES - _BIG_BYTES)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(_END_MARK)
    if at < 0 or len(tail) - at < _END_BYTES:
        raise _broken()
    if at >= _BIG_BYTES and tail[at - _BIG_BYTES : at].startswith(_BIG_MARK):
        raise refused("the archive is a zip64, which is not supported", hint="pack it as tar.gz")
    size: int = struct.unpack_from("<L", tail, at + 12)[0]
    end = start + at
    if size > end:
        raise _broken()
    return end, size


@contextmanager
def _broken_as_refused() -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, NotImplementedError, zlib.error, EOFError, ValueError, RuntimeError) as error:
        raise _broken() from error


def _broken() -> Exception:
    return refused("the archive is broken: it is not zip all through")
