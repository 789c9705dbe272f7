"""Archives, fetched from a real web server."""

from __future__ import annotations

import asyncio
import tarfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from techdocs_server.adapters.sources.archive import ArchiveLimits, ArchivePreparer
from techdocs_server.adapters.sources.local_directory import LocalDirectoryPreparer
from techdocs_server.adapters.sources.source_hosts import HostType, SourceHost, SourceHosts
from techdocs_server.domain.catalog_entity import SourceRef
from techdocs_server.domain.errors import BuildFailureReason

from tests.support.archives import ARCHIVED, member, tar, targz, zipped
from tests.support.remote_sources import SECRET, failure_of, loopback, source
from tests.support.sites import Files, files_below, write_files
from tests.support.waiting import eventually
from tests.support.web_server import Page, WebServer, web_server

LIMITS = ArchiveLimits(max_bytes=10**6, max_files=100)
EXPECTED = {name: str(content).encode() for name, content in ARCHIVED.items()}


@pytest.fixture
def server() -> Iterator[WebServer]:
    with web_server() as running:
        yield running


@pytest.fixture
def other() -> Iterator[WebServer]:
    with web_server() as running:
        yield running


class Archives:
    """Makes preparers and reads with the last one made."""

    def __init__(self, folder: Path) -> None:
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        self._folder = folder
        self._made: list[ArchivePreparer] = []

    def preparer(self, *hosts: SourceHost, limits: ArchiveLimits = LIMITS) -> ArchivePreparer:
        made = ArchivePreparer(SourceHosts(hosts), limits=limits, temporary_directory=self.scratch)
        self._made.append(made)
        return made

    async def files(self, url: str) -> tuple[dict[str, bytes], tuple[str, ...], str]:
        into = self._folder / f"into-{len(list(self._folder.iterdir()))}"
        into.mkdir()
        prepared = await self._made[-1].prepare(source(url), into=into)
        return files_below(into), prepared.warnings, prepared.etag

    def close(self) -> None:
        for made in self._made:
            made.close()


@pytest.fixture
async def archives(tmp_path: Path) -> AsyncIterator[Archives]:
    made = Archives(tmp_path)
    yield made
    made.close()
    assert list(made.scratch.iterdir()) == []


def _nested(files: Files) -> Files:
    return {f"shop-0123abc/{name}": content for name, content in files.items()}


@pytest.mark.parametrize(
    "content",
    [
        targz(ARCHIVED),
        targz(ARCHIVED, format=tarfile.GNU_FORMAT),
        targz(_nested(ARCHIVED)),
        targz({f"./{name}": content for name, content in ARCHIVED.items()}),
        zipped(ARCHIVED),
        zipped(_nested(ARCHIVED)),
    ],
    ids=["pax", "gnu", "in a folder", "with dots", "zip", "zip in a folder"],
)
@pytest.mark.parametrize("is_chunked", [True, False])
async def test_every_form_of_archive_gives_the_same_tree(
    archives: Archives, server: WebServer, tmp_path: Path, content: bytes, is_chunked: bool
) -> None:
    archives.preparer(loopback(server.host, HostType.ARCHIVE))
    # What an archive is shows in its first bytes, not in its name.
    server.pages["/docs"] = Page(content, is_chunked=is_chunked)
    files, warnings, etag = await archives.files(f"{server.url}/docs")
    assert (files, warnings) == (EXPECTED, ())
    local = LocalDirectoryPreparer(max_bytes=10**6, max_files=10)
    folder = write_files(tmp_path / "same", ARCHIVED)
    assert await local.etag(SourceRef("dir", str(folder), "x", "x")) == etag
    local.close()


@pytest.mark.parametrize("length", [99, 100, 101, 255, 300])
@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
async def test_long_names_are_kept(archives: Archives, server: WebServer, length: int, form: int) -> None:
    name = "docs/" + "/".join("d" * 50 for _ in range(9))
    name = name[: length - 3].rstrip("/") + ".md"
    archives.preparer(loopback(server.host, HostType.ARCHIVE))
    server.pages["/a.tgz"] = Page(targz({name: "x" * 1000, "mkdocs.yml": "y"}, format=form))
    assert (await archives.files(f"{server.url}/a.tgz"))[0] == {name: b"x" * 1000, "mkdocs.yml": b"y"}


async def test_lone_docs_folder_is_part_of_the_source(archives: Archives, server: WebServer) -> None:
    archives.preparer(loopback(server.host, HostType.ARCHIVE))
    server.pages["/a.zip"] = Page(zipped({"docs/index.md": "x"}))
    assert (await archives.files(f"{server.url}/a.zip"))[0] == {"docs/index.md": b"x"}


async def test_links_and_devices_are_left_out_with_a_warning(archives: Archives, server: WebServer) -> None:
    archives.preparer(loopback(server.host, HostType.ARCHIVE))
    extra = [
        member("docs/hosts", tarfile.SYMTYPE, target="/etc/hosts"),
        member("docs/hard", tarfile.LNKTYPE, target="docs/index.md"),
        member("docs/null", tarfile.CHRTYPE),
        member("docs/pipe", tarfile.FIFOTYPE),
    ]
    server.pages["/a.tgz"] = Page(targz(ARCHIVED, extra=extra))
    files, warnings, _ = await archives.files(f"{server.url}/a.tgz")
    assert files == EXPECTED
    assert warnings == (
        "docs/hosts was left out: it is a link",
        "docs/hard was left out: it is a link",
        "docs/null was left out: it is a device",
        "docs/pipe was left out: it is a named pipe",
    )
    server.pages["/a.zip"] = Page(zipped({**ARCHIVED, "docs/link": "/etc/hosts"}, modes={"docs/link": 0o120777}))
    files, warnings, _ = await archives.files(f"{server.url}/a.zip")
    assert (files, warnings) == (EXPECTED, ("docs/link was left out: it is a link",))


async def test_unchanged_check_costs_one_conditional_request(archives: Archives, server: WebServer) -> None:
    preparer = archives.preparer(loopback(server.host, HostType.ARCHIVE))
    server.pages["/a.tgz"] = Page(targz(ARCHIVED), etag='"1"')
    url = f"{server.url}/a.tgz"
    _, _, etag = await archives.files(url)
    server.requests.clear()
    assert await preparer.etag(source(url)) == etag
    assert [request.headers.get("if-none-match") for request in server.requests] == ['"1"']
    server.pages["/a.tgz"] = Page(targz({**ARCHIVED, "docs/index.md": "# New\n"}), etag='"2"')
    assert await preparer.etag(source(url)) != etag
    # Packed anew, but the same files: the same source.
    server.pages["/a.tgz"] = Page(targz(_nested(ARCHIVED)), etag='"3"')
    assert await preparer.etag(source(url)) == etag


async def test_build_after_a_check_gets_the_files_although_they_are_known(
    archives: Archives, server: WebServer
) -> None:
    preparer = archives.preparer(loopback(server.host, HostType.ARCHIVE))
    server.pages["/a.tgz"] = Page(targz(ARCHIVED), etag='"1"')
    etag = await preparer.etag(source(f"{server.url}/a.tgz"))
    assert await archives.files(f"{server.url}/a.tgz") == (EXPECTED, (), etag)


async def test_server_without_versions_is_read_again(archives: Archives, server: WebServer) -> None:
    preparer = archives.preparer(loopback(server.host, HostType.ARCHIVE))
    server.pages["/a.tgz"] = Page(targz(ARCHIVED))
    url = f"{server.url}/a.tgz"
    assert await preparer.etag(source(url)) == await preparer.etag(source(url))
    assert all(not name.startswith("if-") for request in server.requests for name in request.headers)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"token": SECRET}, f"Bearer {SECRET}"),
        ({"token": "b", "username": "a"}, "Basic YTpi"),
        ({}, None),
    ],
)
async def test_token_is_sent_as_the_operator_says(
    archives: Archives, server: WebServer, options: dict[str, str], expected: str | None
) -> None:
    archives.preparer(loopback(server.host, HostType.ARCHIVE, **options))
    server.pages["/a.tgz"] = Page(targz(ARCHIVED))
    await archives.files(f"{server.url}/a.tgz")
    assert server.requests[0].headers.get("authorization") == expected


async def test_redirect_to_an_allowed_host_is_followed_without_credentials(
    archives: Archives, server: WebServer, other: WebServer
) -> None:
    archives.preparer(
        loopback(server.host, HostType.ARCHIVE, token=SECRET), loopback(other.host, HostType.ARCHIVE, token=SECRET * 2)
    )
    server.pages["/a.tgz"] = Page(status=302, headers={"Location": f"{other.url}/b?signature=x"})
    other.pages["/b"] = Page(status=307, headers={"Location": f"{server.url}/back"})
    server.pages["/back"] = Page(status=301, headers={"Location": "/c.tgz?x=1"})
    server.pages["/c.tgz"] = Page(targz(ARCHIVED))
    assert (await archives.files(f"{server.url}/a.tgz"))[0] == EXPECTED
    assert [request.headers.get("authorization") for request in server.requests] == [f"Bearer {SECRET}", None, None]
    assert [request.headers.get("authorization") for request in other.requests] == [None]
    assert [request.path for request in other.requests] == ["/b?signature=x"]


async def test_redirect_inside_a_host_keeps_the_credentials(archives: Archives, server: WebServer) -> None:
    archives.preparer(loopback(server.host, HostType.ARCHIVE, token=SECRET))
    server.pages["/a.tgz"] = Page(status=302, headers={"Location": "/b.tgz"})
    server.pages["/b.tgz"] = Page(targz(ARCHIVED))
    await archives.files(f"{server.url}/a.tgz")
    assert [request.headers.get("authorization") for request in server.requests] == [f"Bearer {SECRET}"] * 2


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        (Page(status=401), "asks for credentials for"),
        (Page(status=403), "asks for credentials for"),
        (Page(status=404), "there is nothing at"),
        (Page(status=500), "(HTTP 500)"),
        (Page(status=204), "(HTTP 204)"),
        (Page(status=304), "(HTTP 304)"),
        (Page(status=302), "redirects to nowhere"),
        (Page(status=302, headers={"Location": "/a.tgz"}), "redirects more than 5 times"),
        (Page(status=302, headers={"Location": "gopher://x/"}), "redirects to what cannot be used"),
        (Page(status=302, headers={"Location": "http://u:p@127.0.0.1/"}), "holds a user name or password"),
        (Page(status=302, headers={"Location": "relative"}), "redirects to what cannot be used"),
        (Page(targz(ARCHIVED), sends=100), "broke off while it sent"),
        (Page(zipped(ARCHIVED), sends=100), "broke off while it sent"),
        (Page(targz(ARCHIVED), sends=100, is_chunked=True), "the archive is broken: it ends early"),
        (Page(b"<html>Log in</html>"), "is no archive that this server reads"),
        (Page(b""), "is no archive that this server reads"),
        (Page(tar(ARCHIVED)), "is no archive that this server reads"),
    ],
)
async def test_answer_that_is_no_archive_is_named(
    archives: Archives, server: WebServer, page: Page, problem: str
) -> None:
    preparer = archives.preparer(loopback(server.host, HostType.ARCHIVE))
    server.pages["/a.tgz"] = page
    failure = await failure_of(preparer, f"{server.url}/a.tgz?signature=hush")
    assert problem in failure.problem
    assert "hush" not in failure.problem + failure.hint


async def test_server_that_is_down_is_named(archives: Archives) -> None:
    preparer = archives.preparer(loopback("127.0.0.1:1", HostType.ARCHIVE))
    failure = await failure_of(preparer, "http://127.0.0.1:1/a.tgz")
    assert failure.problem == "127.0.0.1:1 cannot be reached"
    assert failure.reason is BuildFailureReason.SOURCE_UNAVAILABLE


async def test_hanging_server_ends_at_the_deadline(archives: Archives, server: WebServer) -> None:
    limits = ArchiveLimits(max_bytes=10**6, max_files=10, timeout_seconds=0.3)
    preparer = archives.preparer(loopback(server.host, HostType.ARCHIVE), limits=limits)
    server.hang.set()
    server.pages["/a.tgz"] = Page(targz(ARCHIVED), sends=50)
    failure = await failure_of(preparer, f"{server.url}/a.tgz")
    assert failure.reason is BuildFailureReason.TIMED_OUT
    assert failure.problem == f"{server.url}/a.tgz did not answer completely within 0.3 seconds"


async def test_cancellation_interrupts_a_waiting_read(archives: Archives, server: WebServer) -> None:
    preparer = archives.preparer(loopback(server.host, HostType.ARCHIVE))
    server.hang.set()
    server.pages["/a.tgz"] = Page(targz(ARCHIVED), sends=50)
    running = asyncio.create_task(preparer.etag(source(f"{server.url}/a.tgz")))
    await eventually(lambda: server.requests, what="the server is asked")
    begin = time.monotonic()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    # Silence alone would end the read after half a minute.
    assert time.monotonic() - begin < 5
    assert list(archives.scratch.iterdir()) == []
