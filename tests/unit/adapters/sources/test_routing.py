"""Which adapter reads a source."""

from __future__ import annotations

from pathlib import Path

import pytest
from techdocs_server.adapters.sources.routing import RoutingPreparer, URLPreparer
from techdocs_server.adapters.sources.source_hosts import HostType, SourceHost, SourceHosts
from techdocs_server.domain.catalog_entity import SourceRef
from techdocs_server.domain.errors import BuildFailureReason, BuildStepFailed
from techdocs_server.ports.sources import PreparedSource

HOSTS = SourceHosts([SourceHost("github.com", HostType.GITHUB), SourceHost("files.example", HostType.ARCHIVE)])


class NamedPreparer:
    """Says who was asked."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def etag(self, source: SourceRef) -> str:
        return self.name

    async def prepare(self, source: SourceRef, *, into: Path) -> PreparedSource:
        return PreparedSource(self.name, ())


ROUTING = RoutingPreparer(
    {
        "dir": NamedPreparer("local"),
        "url": URLPreparer(HOSTS, git=NamedPreparer("git"), archives=NamedPreparer("archive")),
    }
)


@pytest.mark.parametrize(
    ("kind", "location", "expected"),
    [
        ("dir", "/srv/docs", "local"),
        ("url", "https://github.com/o/r/tree/main", "git"),
        ("url", "https://github.com/o/r/archive/main.zip", "archive"),
        ("url", "https://files.example/x", "archive"),
    ],
)
async def test_source_goes_to_its_adapter(kind: str, location: str, expected: str, tmp_path: Path) -> None:
    source = SourceRef(kind, location, location, "Demo")
    assert await ROUTING.etag(source) == expected
    assert (await ROUTING.prepare(source, into=tmp_path)).etag == expected


@pytest.mark.parametrize(
    ("kind", "location", "problem"),
    [
        ("s3", "s3://x", "builds no documentation from sources of type 's3'"),
        ("url", "https://other.example/x", "the host other.example is not one"),
        ("url", "http://github.com/o/r", "would be fetched without encryption"),
        ("url", "file:///etc", "a folder of the server's machine is not one"),
        ("url", "https://github.com/../x", "cannot be used"),
    ],
)
async def test_source_that_no_adapter_may_read_is_refused(kind: str, location: str, problem: str) -> None:
    with pytest.raises(BuildStepFailed) as caught:
        await ROUTING.etag(SourceRef(kind, location, location, "Demo"))
    assert problem in caught.value.problem
    assert caught.value.reason is BuildFailureReason.SOURCE_REFUSED
