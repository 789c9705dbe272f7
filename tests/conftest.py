"""What tests of every kind share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.postgresql import PostgreSQL, postgresql
from tests.support.processes import SHARED_SERVERS
from tests.support.seaweedfs import BUCKET, SeaweedFS, seaweedfs


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """A real S3 server with an empty bucket, one for the whole run."""
    with seaweedfs(tmp_path_factory.mktemp("seaweedfs")) as server:
        SHARED_SERVERS.add(server.process.pid)
        server.make_bucket(BUCKET)
        yield server


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQL]:
    """A real PostgreSQL, one for the whole run; every test makes a database of its own."""
    with postgresql() as server:
        if server.process is not None:
            SHARED_SERVERS.add(server.process.pid)
        yield server


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--reuse-examples",
        type=int,
        default=0,
        metavar="N",
        help="play N random scripts of edits, others each time, and shorten one that fails (default: a dozen known ones)",
    )
    parser.addoption(
        "--screenshots",
        default="",
        metavar="DIR",
        help="keep the screenshots of the tests with a browser in this folder, for people to look at",
    )
