"""Which adapter reads a source."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from techdocs_server.adapters.sources.problems import refused
from techdocs_server.adapters.sources.scm_urls import parse_page
from techdocs_server.adapters.sources.source_hosts import HostType, SourceHost, SourceHosts, parse_source_url
from techdocs_server.adapters.sources.web_address import URLRefused, WebURL
from techdocs_server.domain.catalog_entity import SourceRef
from techdocs_server.ports.sources import PreparedSource, SourcePreparer

_ARCHIVE_NAMES = (".tar.gz", ".tgz", ".zip")


class RoutingPreparer:
    """Gives each source to the preparer of its type."""

    def __init__(self, preparers: Mapping[str, SourcePreparer]) -> None:
        """``preparers`` are by `SourceRef.type`."""
        self._preparers = preparers

    async def etag(self, source: SourceRef) -> str:
        """See `SourcePreparer.etag`."""
        return await self._of(source).etag(source)

    async def prepare(self, source: SourceRef, *, into: Path) -> PreparedSource:
        """See `SourcePreparer.prepare`."""
        return await self._of(source).prepare(source, into=into)

    def _of(self, source: SourceRef) -> SourcePreparer:
        preparer = self._preparers.get(source.type)
        if preparer is None:
            raise refused(f"this server builds no documentation from sources of type {source.type!r}")
        return preparer


class URLPreparer:
    """Gives each URL to git or to the reader of archives, by what the operator says of its host."""

    def __init__(self, hosts: SourceHosts, *, git: SourcePreparer, archives: SourcePreparer) -> None:
        self._hosts = hosts
        self._git = git
        self._archives = archives

    async def etag(self, source: SourceRef) -> str:
        """See `SourcePreparer.etag`."""
        return await self._of(source).etag(source)

    async def prepare(self, source: SourceRef, *, into: Path) -> PreparedSource:
        """See `SourcePreparer.prepare`."""
        return await self._of(source).prepare(source, into=into)

    def _of(self, source: SourceRef) -> SourcePreparer:
        url = parse_source_url(source.location)
        return self._archives if is_archive(url, self._hosts.allowed(url)) else self._git


def is_archive(url: WebURL, host: SourceHost) -> bool:
    """Whether a URL names an archive rather than a folder of a repository."""
    if host.type is HostType.ARCHIVE:
        return True
    if host.is_this_machine or not url.segments or not url.segments[-1].endswith(_ARCHIVE_NAMES):
        return False
    try:
        parse_page(url, host)
    except URLRefused:
        # No page of a repository, so one of the archives that repository hosts offer too.
        return True
    return False
