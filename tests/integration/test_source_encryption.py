"""Sources over https: whom we trust, and that nothing leads back to http."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from techdocs_server.adapters.sources.archive import ArchiveLimits, ArchivePreparer
from techdocs_server.adapters.sources.git import GitPreparer
from techdocs_server.adapters.sources.source_hosts import HostType, SourceHost, SourceHosts
from techdocs_server.domain.errors import BuildFailureReason

from tests.support.archives import ARCHIVED, targz
from tests.support.certificates import Certificate, certificate
from tests.support.remote_sources import SECRET, failure_of, loopback, source
from tests.support.waiting import eventually
from tests.support.web_server import Page, WebServer, web_server


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("certificates"), name="docs.example")


@pytest.fixture
def server(own: Certificate) -> Iterator[WebServer]:
    with web_server(own.server) as running:
        running.name = "docs.example"
        running.pages["/a.tgz"] = Page(targz(ARCHIVED))
        yield running


@pytest.fixture
def plain() -> Iterator[WebServer]:
    """The canary: a server that gets what was meant to be encrypted."""
    with web_server() as running:
        running.pages["/a.tgz"] = Page(targz(ARCHIVED))
        yield running


class Preparers:
    """Makes preparers for whom every name is this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: list[ArchivePreparer | GitPreparer] = []

    def archives(self, *hosts: SourceHost) -> ArchivePreparer:
        made = ArchivePreparer(
            SourceHosts(hosts),
            limits=ArchiveLimits(max_bytes=10**6, max_files=10),
            temporary_directory=self._folder,
            lookup=lambda name, port: ["127.0.0.1"],
        )
        self._made.append(made)
        return made

    def git(self, *hosts: SourceHost) -> GitPreparer:
        made = GitPreparer(
            SourceHosts(hosts),
            max_bytes=10**6,
            max_files=10,
            temporary_directory=self._folder,
            lookup=lambda name, port: ["127.0.0.1"],
        )
        self._made.append(made)
        return made

    def close(self) -> None:
        for made in self._made:
            made.close()


@pytest.fixture
async def preparers(tmp_path: Path) -> AsyncIterator[Preparers]:
    made = Preparers(tmp_path)
    yield made
    made.close()


def entry(host: str, *, kind: HostType = HostType.ARCHIVE, trusted: Path | None = None) -> SourceHost:
    return SourceHost(host, kind, token=SECRET, allow_private_addresses=True, ca_certificates=trusted)


async def test_trusted_server_is_read_by_its_name(preparers: Preparers, server: WebServer, own: Certificate) -> None:
    preparer = preparers.archives(entry(server.host, trusted=own.file))
    assert await preparer.etag(source(f"{server.url}/a.tgz"))


async def test_certificate_that_nobody_vouches_for_is_refused(preparers: Preparers, server: WebServer) -> None:
    failure = await failure_of(preparers.archives(entry(server.host)), f"{server.url}/a.tgz")
    assert failure.problem == f"the certificate of {server.host} is not trusted"
    assert "ca_certificates" in failure.hint
    assert server.requests == []


async def test_certificate_of_another_name_is_refused(
    preparers: Preparers, server: WebServer, own: Certificate
) -> None:
    host = f"other.example:{server.port}"
    failure = await failure_of(preparers.archives(entry(host, trusted=own.file)), f"https://{host}/a.tgz")
    assert failure.problem == f"the certificate of {host} is not trusted"
    assert server.requests == []


async def test_git_trusts_the_same(preparers: Preparers, server: WebServer, own: Certificate) -> None:
    url = f"{server.url}/acme/shop"
    failure = await failure_of(preparers.git(entry(server.host, kind=HostType.GITHUB)), url)
    assert failure.problem == f"the certificate of {server.host} is not trusted"
    assert server.requests == []
    trusting = preparers.git(entry(server.host, kind=HostType.GITHUB, trusted=own.file))
    assert (await failure_of(trusting, url)).problem == f"there is no repository {url}.git"
    assert server.requests[0].path == "/acme/shop.git/info/refs?service=git-upload-pack"


async def test_redirect_from_https_to_http_is_refused(
    preparers: Preparers, server: WebServer, plain: WebServer, own: Certificate
) -> None:
    server.pages["/b"] = Page(status=302, headers={"Location": f"{plain.url}/a.tgz"})
    preparer = preparers.archives(entry(server.host, trusted=own.file), loopback(plain.host, HostType.ARCHIVE))
    failure = await failure_of(preparer, f"{server.url}/b")
    assert failure.reason is BuildFailureReason.SOURCE_REFUSED
    assert failure.problem == f"{server.url}/b redirects to {plain.host} without encryption"
    assert plain.requests == []
    # The canary is one that would be reached: asked for by itself, it answers.
    assert await preparer.etag(source(f"{plain.url}/a.tgz"))


async def test_server_that_speaks_no_tls_is_named(preparers: Preparers, plain: WebServer) -> None:
    failure = await failure_of(preparers.archives(entry(plain.host)), f"https://{plain.host}/a.tgz")
    assert failure.problem == f"no encrypted connection to {plain.host} is possible"


async def test_cancellation_interrupts_an_encrypted_read(
    preparers: Preparers, server: WebServer, own: Certificate
) -> None:
    server.hang.set()
    server.pages["/a.tgz"] = Page(targz(ARCHIVED), sends=50)
    preparer = preparers.archives(entry(server.host, trusted=own.file))
    running = asyncio.create_task(preparer.etag(source(f"{server.url}/a.tgz")))
    await eventually(lambda: server.requests, what="the server is asked")
    begin = time.monotonic()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert time.monotonic() - begin < 5
