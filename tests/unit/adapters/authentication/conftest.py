"""An authenticator over the key sets of a real web server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from techdocs_server.adapters.authentication.key_fetching import KeyFetcher

from tests.support.token_issuers import Backstage, backstage


@pytest.fixture
def issuers() -> Iterator[Backstage]:
    with backstage() as found:
        yield found


@pytest.fixture
async def fetcher() -> AsyncIterator[KeyFetcher]:
    async with KeyFetcher() as opened:
        yield opened
