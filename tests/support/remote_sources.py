"""Preparers of remote sources, and hosts on loopback for them."""

from __future__ import annotations

from pathlib import Path

from techdocs_server.adapters.sources.source_hosts import HostType, SourceHost
from techdocs_server.domain.catalog_entity import SourceRef
from techdocs_server.domain.errors import BuildStepFailed
from techdocs_server.ports.sources import SourcePreparer

# With characters that look different in a URL and in a header.
SECRET = "hush/" + "hush+42=="


def loopback(host: str, kind: HostType = HostType.GITHUB, **options: object) -> SourceHost:
    """Return an entry for a server of a test: http and a loopback address are allowed."""
    return SourceHost(host, kind, allow_http=True, allow_private_addresses=True, **options)  # type: ignore[arg-type]  # the names of SourceHost's own fields


def source(url: str) -> SourceRef:
    """Return the source of a URL."""
    return SourceRef("url", url, url, "Demo")


async def failure_of(preparer: SourcePreparer, url: str, into: Path | None = None) -> BuildStepFailed:
    """Return the failure of reading a source."""
    try:
        if into is None:
            await preparer.etag(source(url))
        else:
            await preparer.prepare(source(url), into=into)
    except BuildStepFailed as failure:
        return failure
    raise AssertionError(f"{url} did not fail")
