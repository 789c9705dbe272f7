"""Archives and web servers that mean harm. Where a rule can be switched off, the canary is then reached."""

from __future__ import annotations

import gzip
import struct
import tarfile
import zipfile
import zlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from techdocs_server.adapters.sources.archive import ArchiveLimits, ArchivePreparer
from techdocs_server.adapters.sources.source_hosts import HostType, SourceHost, SourceHosts
from techdocs_server.domain.errors import BuildFailureReason, QuotaExceeded

from tests.support.archives import ARCHIVED, header, member, tar, targz, zipped
from tests.support.remote_sources import SECRET, failure_of, loopback, source
from tests.support.web_server import Page, WebServer, web_server

LIMITS = ArchiveLimits(max_bytes=10**6, max_files=100)
REFUSED = BuildFailureReason.SOURCE_REFUSED


@pytest.fixture
def server() -> Iterator[WebServer]:
    with web_server() as running:
        yield running


@pytest.fixture
def other() -> Iterator[WebServer]:
    """The canary: a server that nobody may be led to."""
    with web_server() as running:
        running.pages["/a.tgz"] = Page(targz(ARCHIVED))
        yield running


class Archives:
    """Reads archives that a test serves."""

    def __init__(self, folder: Path, server: WebServer) -> None:
        self.folder, self.server = folder, server
        self._made: list[ArchivePreparer] = []

    def preparer(
        self, *hosts: SourceHost, limits: ArchiveLimits = LIMITS, are_names_checked: bool = True
    ) -> ArchivePreparer:
        made = ArchivePreparer(
            SourceHosts(hosts or [loopback(self.server.host, HostType.ARCHIVE)]),
            limits=limits,
            temporary_directory=self.folder,
            lookup=lambda name, port: ["127.0.0.1"],
            are_names_checked=are_names_checked,
        )
        self._made.append(made)
        return made

    def url(self, content: bytes) -> str:
        self.server.pages["/a"] = Page(content)
        return f"{self.server.url}/a"

    async def problem(self, content: bytes) -> str:
        failure = await failure_of(self.preparer(), self.url(content))
        assert failure.reason is REFUSED
        return failure.problem

    async def too_large(self, content: bytes, limits: ArchiveLimits = LIMITS) -> str:
        with pytest.raises(QuotaExceeded) as caught:
            await self.preparer(limits=limits).etag(source(self.url(content)))
        return str(caught.value)

    def close(self) -> None:
        for made in self._made:
            made.close()


@pytest.fixture
async def archives(tmp_path: Path, server: WebServer) -> AsyncIterator[Archives]:
    made = Archives(tmp_path, server)
    yield made
    made.close()


@pytest.mark.parametrize("pack", [targz, zipped])
@pytest.mark.parametrize("is_rule_on", [True, False])
@pytest.mark.parametrize("form", ["up", "absolute"])
async def test_name_that_leads_out_writes_nothing(
    archives: Archives, pack: object, is_rule_on: bool, form: str
) -> None:
    assert callable(pack)
    canary = archives.folder / "canary.md"
    name = "docs/../../../canary.md" if form == "up" else str(canary)
    preparer = archives.preparer(are_names_checked=is_rule_on)
    url = archives.url(pack({"docs/index.md": "x", name: "reached"}))
    if is_rule_on:
        failure = await failure_of(preparer, url)
        assert failure.reason is REFUSED
        assert failure.problem.startswith("the archive is not safe: ")
    else:
        await preparer.etag(source(url))
    assert canary.exists() is not is_rule_on


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("/etc/x", "is an absolute path"),
        ("../x", "leads out of its folder"),
        ("a/..", "leads out of its folder"),
        ("a\\..\\b", "is written for another system"),
        ("C:/x", "is written for another system"),
        ("a\nb", "holds control characters"),
        ("a\x7fb", "holds control characters"),
        ("d/" * 65 + "x", "is nested deeper than 64 levels"),
        ("x" * 256, "is too long"),
        ("/".join(["d" * 200] * 6), "is too long"),
    ],
)
async def test_unsafe_name_refuses_the_archive(archives: Archives, name: str, why: str) -> None:
    for content in (targz({**ARCHIVED, name: "x"}), zipped({**ARCHIVED, name: "x"})):
        problem = await archives.problem(content)
        assert why in problem
        assert "\n" not in problem


async def test_file_below_a_link_lands_in_the_archive_and_not_where_the_link_leads(archives: Archives) -> None:
    outside = archives.folder / "outside"
    outside.mkdir()
    link = member("docs", tarfile.SYMTYPE, target=str(outside))
    content = gzip.compress(_without_end(tar({}, extra=[link])) + tar({"docs/index.md": "x"}))
    await archives.preparer().etag(source(archives.url(content)))
    assert list(outside.iterdir()) == []


async def test_same_name_twice_counts_as_the_last(archives: Archives) -> None:
    first = await archives.preparer().etag(source(archives.url(targz({"a.md": "2", "A.md": "3"}))))
    content = gzip.compress(_without_end(tar({"a.md": "1"})) + tar({"a.md": "2", "A.md": "3"}))
    assert await archives.preparer().etag(source(archives.url(content))) == first


async def test_file_that_is_also_a_folder_is_refused(archives: Archives) -> None:
    for names in (("a", "a/b"), ("a/b", "a")):
        problem = await archives.problem(gzip.compress(_joined([tar({name: "x"}) for name in names])))
        assert problem.endswith("is a file and a folder")


@pytest.mark.parametrize("limit", [2000, 1999])
async def test_bytes_are_bounded_exactly(archives: Archives, limit: int) -> None:
    limits = replace(LIMITS, max_bytes=limit)
    for content in (targz({"a": "x" * 1000, "b": "y" * 1000}), zipped({"a": "x" * 1000, "b": "y" * 1000})):
        if limit == 2000:
            assert await archives.preparer(limits=limits).etag(source(archives.url(content)))
        else:
            assert "more than 1999 bytes" in await archives.too_large(content, limits)


async def test_entries_are_bounded_folders_and_links_included(archives: Archives) -> None:
    limits = replace(LIMITS, max_files=5)
    folders = [member(f"d{number}", tarfile.DIRTYPE) for number in range(5)]
    links = [member(f"l{number}", tarfile.SYMTYPE, target="x") for number in range(5)]
    assert await archives.preparer(limits=limits).etag(source(archives.url(targz({}, extra=folders + links))))
    more = targz({"one": "x"}, extra=folders + links)
    assert await archives.too_large(more, limits) == "the archive has more than 10 entries"
    many = zipped({f"{number}.md": "x" for number in range(11)})
    assert await archives.too_large(many, limits) == "the archive has more than 10 entries"


@pytest.mark.parametrize("pack", [targz, zipped])
@pytest.mark.parametrize("is_rule_on", [True, False])
async def test_bomb_is_seen_by_its_ratio(archives: Archives, pack: object, is_rule_on: bool) -> None:
    assert callable(pack)
    content = pack({"docs/zeros.bin": b"\0" * 20_000_000})
    limits = ArchiveLimits(max_bytes=50_000_000, max_files=10, max_ratio=200 if is_rule_on else 2000)
    if is_rule_on:
        assert "more than 200 times as large" in await archives.too_large(content, limits)
    else:
        assert await archives.preparer(limits=limits).etag(source(archives.url(content)))


async def test_stream_that_holds_nothing_ends(archives: Archives) -> None:
    packer = zlib.compressobj(wbits=31)
    empty = packer.compress(b"") + packer.flush(zlib.Z_SYNC_FLUSH)
    content = empty + b"\0\0\0\xff\xff" * 500_000
    assert "is larger than" in await archives.too_large(content, replace(LIMITS, max_files=1))


@pytest.mark.parametrize(
    ("blocks", "problem"),
    [
        ([header(b"x", b"x", 10**9)], "has a header of 1000000000 bytes"),
        ([header(b"x", b"L", 65537)], "has a header of 65537 bytes"),
        ([header(b"x", b"g", 10**12)], "has a header of 1000000000000 bytes"),
        ([header(b"x", b"S", 512), b"\0" * 512], "holds a sparse file"),
        ([header(b"x", b"x", 25), b"25 GNU.sparse.major=100\n".ljust(512, b"\0")], "extended header is malformed"),
        ([header(b"x", b"x", 24), b"24 GNU.sparse.major=100\n".ljust(512, b"\0")], "holds a sparse file"),
        ([header(b"x", b"x", 4), b"999\n".ljust(512, b"\0")], "extended header is malformed"),
        ([header(b"x", b"x", 9), b"9 size=-\n".ljust(512, b"\0")], "extended header is malformed"),
        ([header(b"a.md", b"0", 10**15)], "it ends early"),
        ([header(b"a.md", b"0", 100)], "it ends early"),
        ([header(b"a.md", b"0", 100)[:300]], "it ends early"),
        ([header(b"a.md", b"0", 0).replace(b"0000644", b"0000777")], "checksum is wrong"),
        ([b"\xff" * 512], "holds no number"),
    ],
)
async def test_broken_tar_is_refused(archives: Archives, blocks: Sequence[bytes], problem: str) -> None:
    assert problem in await archives.problem(gzip.compress(b"".join(blocks)))


async def test_tar_without_its_end_is_read(archives: Archives) -> None:
    whole = await archives.preparer().etag(source(archives.url(targz({"a.md": "x"}))))
    content = gzip.compress(_without_end(tar({"a.md": "x"})))
    assert await archives.preparer().etag(source(archives.url(content))) == whole


async def test_broken_gzip_is_refused(archives: Archives) -> None:
    content = targz(ARCHIVED)
    assert "ends early" in await archives.problem(content[:-30])
    assert "not gzip all through" in await archives.problem(content[:20] + b"\xff" * 30 + content[50:])


def _zip64(content: bytes) -> bytes:
    end = content.rindex(b"PK\x05\x06")
    return content[:end] + b"PK\x06\x07" + b"\0" * 16 + content[end:]


def _lying_about_its_table(content: bytes) -> bytes:
    end = content.rindex(b"PK\x05\x06")
    return content[: end + 12] + struct.pack("<L", 2**31) + content[end + 16 :]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (zipped(ARCHIVED)[:-1], "is broken"),
        (zipped(ARCHIVED)[:-100], "is broken"),
        (_lying_about_its_table(zipped(ARCHIVED)), "is broken"),
        (_zip64(zipped(ARCHIVED)), "is a zip64"),
        (zipped(ARCHIVED, method=zipfile.ZIP_LZMA), "packed in a way that is not supported"),
        (zipped(ARCHIVED, method=zipfile.ZIP_BZIP2), "packed in a way that is not supported"),
        (zipped(ARCHIVED, method=zipfile.ZIP_STORED).replace(b"# Demo", b"# Dumo"), "is broken"),
        (zipped(ARCHIVED).replace(b"PK\x01\x02\x14\x03\x14\0\0\0", b"PK\x01\x02\x14\x03\x14\0\x01\0"), "is encrypted"),
    ],
    ids=["cut", "cut more", "table", "zip64", "lzma", "bzip2", "checksum", "encrypted"],
)
async def test_broken_zip_is_refused(archives: Archives, content: bytes, problem: str) -> None:
    assert problem in await archives.problem(content)


@pytest.mark.parametrize("is_rule_on", [True, False])
async def test_redirect_leads_to_listed_hosts_only(
    archives: Archives, server: WebServer, other: WebServer, is_rule_on: bool
) -> None:
    hosts = [loopback(server.host, HostType.ARCHIVE, token=SECRET)]
    if not is_rule_on:
        hosts.append(loopback(other.host, HostType.ARCHIVE))
    preparer = archives.preparer(*hosts)
    server.pages["/a"] = Page(status=302, headers={"Location": f"{other.url}/a.tgz"})
    if is_rule_on:
        failure = await failure_of(preparer, f"{server.url}/a")
        assert failure.reason is REFUSED
        assert failure.problem == f"the host {other.host} is not one that documentation may come from"
    else:
        await preparer.etag(source(f"{server.url}/a"))
    assert bool(other.requests) is not is_rule_on


@pytest.mark.parametrize("is_rule_on", [True, False])
async def test_redirect_to_an_address_of_this_machine_is_not_followed(
    archives: Archives, server: WebServer, other: WebServer, is_rule_on: bool
) -> None:
    listed = f"docs.example:{other.port}"
    preparer = archives.preparer(
        loopback(server.host, HostType.ARCHIVE),
        SourceHost(listed, HostType.ARCHIVE, allow_http=True, allow_private_addresses=not is_rule_on),
    )
    server.pages["/a"] = Page(status=302, headers={"Location": f"http://{listed}/a.tgz"})
    if is_rule_on:
        failure = await failure_of(preparer, f"{server.url}/a")
        assert failure.reason is REFUSED
        assert failure.problem.startswith("the host docs.example has an address that documentation may not be fetched")
    else:
        await preparer.etag(source(f"{server.url}/a"))
    assert bool(other.requests) is not is_rule_on


async def test_host_that_is_not_listed_is_not_asked(archives: Archives, other: WebServer) -> None:
    failure = await failure_of(archives.preparer(), f"{other.url}/a.tgz")
    assert "source_hosts" in failure.hint
    assert other.requests == []


async def test_plain_http_is_refused_unless_the_operator_allows_it(archives: Archives, other: WebServer) -> None:
    host = SourceHost(other.host, HostType.ARCHIVE, allow_private_addresses=True)
    failure = await failure_of(archives.preparer(host), f"{other.url}/a.tgz")
    assert failure.problem == f"{other.url}/a.tgz would be fetched without encryption"
    assert other.requests == []


def _without_end(content: bytes) -> bytes:
    return content.rstrip(b"\0") + b"\0" * (-len(content.rstrip(b"\0")) % 512)


def _joined(tars: Sequence[bytes]) -> bytes:
    return b"".join(map(_without_end, tars)) + b"\0" * 1024
