"""Sources that are archives on a web server: tar.gz and zip."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from techdocs_server.adapters.sources.address_rules import Lookup, system_addresses
from techdocs_server.adapters.sources.blocking_work import BlockingWork, StopSignal
from techdocs_server.adapters.sources.http_fetch import HTTPAnswer, HTTPFetcher
from techdocs_server.adapters.sources.inflation import GzipStream, InflationLimits, InflationMeter
from techdocs_server.adapters.sources.known_etags import RecentlyKnown
from techdocs_server.adapters.sources.local_directory import LocalDirectoryPreparer
from techdocs_server.adapters.sources.private_folder import private_folder
from techdocs_server.adapters.sources.problems import refused, timed_out
from techdocs_server.adapters.sources.source_hosts import SourceHosts, parse_source_url
from techdocs_server.adapters.sources.tar_stream import read_tar
from techdocs_server.adapters.sources.tree import Stopped, TreeLimits
from techdocs_server.adapters.sources.unpacking import ArchiveEntry, Unpacking
from techdocs_server.adapters.sources.web_address import WebURL
from techdocs_server.adapters.sources.zip_file import read_zip
from techdocs_server.domain.catalog_entity import SourceRef
from techdocs_server.domain.errors import BuildStepFailed
from techdocs_server.ports.sources import PreparedSource

_THREADS = 4
_CHUNK_BYTES = 64 * 1024
# A key and its values are about 500 bytes: 5,000 of them are 2.5 MB.
_MOST_KNOWN = 5_000
_GZIP_MARK, _ZIP_MARKS = b"\x1f\x8b", (b"PK\x03\x04", b"PK\x05\x06")
# Names of the headers that say which version an answer is, and of those that ask for another one.
_CONDITIONS = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """Bounds of one archive: what it holds, how many times its own size that may be, and seconds for all of it."""

    max_bytes: int
    max_files: int
    max_ratio: int = 200
    timeout_seconds: float = 300.0

    @property
    def tree(self) -> TreeLimits:
        """The bounds of what it holds."""
        return TreeLimits(max_bytes=self.max_bytes, max_files=self.max_files)

    @property
    def inflation(self) -> InflationLimits:
        """The bounds of the stream: a tar has a header and padding, a block each, beside the content of an entry."""
        return InflationLimits(self.max_bytes + 4 * 512 * self.max_files + 1024 * 1024, self.max_ratio)


@dataclass(frozen=True, slots=True)
class _Known:
    """The etag of an archive, and the conditions under which the server says that it is the same."""

    etag: str
    conditions: Mapping[str, str]


class ArchivePreparer:
    """Fetches archives, unpacks them while they come, and copies what they hold as it copies any folder.

    The etag is of the files. A server that answers conditional requests is asked
    whether its archive changed; others send it again.
    """

    def __init__(
        self,
        hosts: SourceHosts,
        *,
        limits: ArchiveLimits,
        temporary_directory: Path,
        lookup: Lookup = system_addresses,
        are_names_checked: bool = True,
    ) -> None:
        """Archives are unpacked in private folders below ``temporary_directory``. See `Unpacking` for the last."""
        self._fetcher = HTTPFetcher(hosts, lookup)
        self._limits = limits
        self._temporary_directory = temporary_directory
        self._are_names_checked = are_names_checked
        self._work = BlockingWork(_THREADS, name="archive")
        self._copies = LocalDirectoryPreparer(max_bytes=limits.max_bytes, max_files=limits.max_files)
        self._known: RecentlyKnown[str, _Known] = RecentlyKnown(_MOST_KNOWN)

    def close(self) -> None:
        """Wait for what is running and end the threads. Not usable afterwards."""
        self._work.close()
        self._copies.close()

    async def etag(self, source: SourceRef) -> str:
        """See `SourcePreparer.etag`."""
        known = self._known.get(source.location)
        prepared = await self._read(source, None, known)
        return prepared.etag

    async def prepare(self, source: SourceRef, *, into: Path) -> PreparedSource:
        """See `SourcePreparer.prepare`."""
        return await self._read(source, into, None)

    async def _read(self, source: SourceRef, into: Path | None, known: _Known | None) -> PreparedSource:
        url = parse_source_url(source.location)
        try:
            async with asyncio.timeout(self._limits.timeout_seconds), private_folder(self._temporary_directory) as room:
                fetch = _Fetch(url, room, self._limits, self._are_names_checked)
                fetched = await self._work.run(lambda stop: fetch.run(self._fetcher, known, stop))
                if fetched is None:
                    return PreparedSource("" if known is None else known.etag, ())
                return await self._copied(source, url, fetched, into)
        except TimeoutError as error:
            raise timed_out(url.shown, self._limits.timeout_seconds) from error

    async def _copied(self, source: SourceRef, url: WebURL, fetched: _Fetched, into: Path | None) -> PreparedSource:
        folder = SourceRef("dir", str(fetched.folder), url.shown, "")
        if into is None:
            copied = PreparedSource(await self._copies.etag(folder), ())
        else:
            copied = await self._copies.prepare(folder, into=into)
        if fetched.conditions:
            self._known.put(source.location, _Known(copied.etag, fetched.conditions))
        return PreparedSource(copied.etag, fetched.warnings + copied.warnings)


@dataclass(frozen=True, slots=True)
class _Fetched:
    folder: Path
    warnings: tuple[str, ...]
    conditions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Fetch:
    """One archive on its way into a private folder. Blocks."""

    url: WebURL
    room: Path
    limits: ArchiveLimits
    are_names_checked: bool

    def run(self, fetcher: HTTPFetcher, known: _Known | None, stop: StopSignal) -> _Fetched | None:
        """Fetch and unpack, or return None when the archive is the known one."""
        conditions = {} if known is None else known.conditions
        with fetcher.get(self.url, headers=conditions, stop=stop) as answer:
            if answer.status == 304:
                return None
            try:
                unpacking = self._unpack(answer, stop)
                folder = unpacking.top()
            except OSError as error:
                raise BuildStepFailed(f"the server cannot unpack the archive: {error.strerror}") from error
            found = {_CONDITIONS[name]: value for name, value in answer.headers.items() if name in _CONDITIONS}
            return _Fetched(folder, tuple(unpacking.warnings), found)

    def _unpack(self, answer: HTTPAnswer, stop: StopSignal) -> Unpacking:
        root = self.room / "unpacked"
        root.mkdir()
        unpacking = Unpacking(root, self.limits.tree, self.are_names_checked)
        for entry in self._entries(answer):
            if stop.is_set():
                raise Stopped
            unpacking.write(entry)
        return unpacking

    def _entries(self, answer: HTTPAnswer) -> Iterator[ArchiveEntry]:
        meter = InflationMeter(self.limits.inflation)
        beginning = answer.read(_CHUNK_BYTES)
        while 0 < len(beginning) < len(_ZIP_MARKS[0]) and (more := answer.read(_CHUNK_BYTES)):
            beginning += more
        if beginning.startswith(_GZIP_MARK):
            return read_tar(GzipStream(_reader(beginning, answer), meter).read)
        if beginning.startswith(_ZIP_MARKS):
            return self._unzipped(chain([beginning], iter(lambda: answer.read(_CHUNK_BYTES), b"")), meter)
        raise refused(
            f"{self.url.shown} is no archive that this server reads",
            hint="it must be tar.gz or zip; a page that asks for a login looks like this too",
        )

    def _unzipped(self, chunks: Iterator[bytes], meter: InflationMeter) -> Iterator[ArchiveEntry]:
        # The table of contents of a zip stands at its end.
        descriptor = os.open(self.room / "archive.zip", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w+b") as file:
            for chunk in chunks:
                meter.take_packed(len(chunk))
                file.write(chunk)
            yield from read_zip(file, meter, max_entries=2 * self.limits.max_files)


def _reader(beginning: bytes, answer: HTTPAnswer) -> Callable[[int], bytes]:
    ready = [beginning]

    def read(most: int) -> bytes:
        return ready.pop() if ready else answer.read(most)

    return read
