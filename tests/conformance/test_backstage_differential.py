"""The same requests to Backstage's own TechDocs plugin and to this service: the answers differ only where a rule of ours says so."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.conformance.backstage_differences import Difference, Found, unexplained, unneeded
from tests.conformance.backstage_pair import backstage_pair, unlike
from tests.conformance.backstage_requests import requests
from tests.conformance.backstage_rules import DIFFERENCES

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    # The first test may install Backstage's packages.
    pytest.mark.timeout(1200),
]

REQUESTS = requests()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def found(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Found]:
    """By the name of the request, each fact that the two answers differ in."""
    async with backstage_pair(tmp_path_factory.mktemp("differential")) as pair:
        yield await unlike(pair, REQUESTS)


async def test_requests_are_many_and_of_every_route() -> None:
    groups = {request.name.split(":")[0] for request in REQUESTS}
    assert len(REQUESTS) >= 150
    assert {"metadata", "entity", "sync", "static credential", "cookie credential", "keys credential", "root"} <= groups


@pytest.mark.parametrize("name", [request.name for request in REQUESTS])
async def test_answer_differs_from_backstages_by_rule_only(found: Found, name: str) -> None:
    assert not unexplained(name, found, DIFFERENCES)


@pytest.mark.parametrize("known", DIFFERENCES, ids=lambda known: f"{known.fact} {known.theirs} {known.ours}")
async def test_listed_difference_is_one(found: Found, known: Difference) -> None:
    assert not unneeded(known, found), "answered as Backstage does"
