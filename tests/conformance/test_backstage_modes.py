"""Backstage's TechDocs plugin and this service, where the catalog decides who sees what, and where nothing is built here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.conformance.backstage_differences import Difference, Found, ruled, unexplained, unneeded
from tests.conformance.backstage_pair import backstage_pair, unlike
from tests.conformance.backstage_requests import external_requests, hidden_requests
from tests.conformance.backstage_rules import DIFFERENCES

# The first test may install Backstage's packages.
pytestmark = pytest.mark.timeout(1200)

_REQUEST_ID = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ONE_SPELLING = "a path has one spelling, without escaped slashes; anything else names nothing"
_NO_REDIRECTS = (
    "page requests are answered with 200, 404 or 500 and never redirected, whatever the letters of the triplet"
)
WHERE_THE_CATALOG_DECIDES = (
    *ruled(
        _ONE_SPELLING, ["escape by escaped slashes"], ("status", "200", "404"), ("header *", "*", "*"), ("body", "*<html*", "-")
    ),
    *ruled(
        _NO_REDIRECTS, ["page in capitals as bob"], ("status", "301", "200"), ("header *", "*", "*"),
        ("body", "*Redirecting*", "*<html*"),
    ),
)  # fmt: skip


def all_unexplained(found: Found, more: Sequence[Difference] = ()) -> Mapping[str, Sequence[str]]:
    """Return by request what differs without a rule that asks for it."""
    said = {name: unexplained(name, found, (*DIFFERENCES, *more)) for name in found}
    return {name: differing for name, differing in said.items() if differing}


async def test_catalog_decides_who_sees_what_as_with_backstages_permissions(tmp_path: Path) -> None:
    async with backstage_pair(tmp_path, checks_permission=True, ours={"policy": "catalog"}) as pair:
        requests = {request.name: request for request in hidden_requests()}
        found = await unlike(pair, tuple(requests.values()))
        assert not all_unexplained(found, WHERE_THE_CATALOG_DECIDES)
        assert not [known for known in WHERE_THE_CATALOG_DECIDES if unneeded(known, found)]
        # And so that two wrong answers are not taken for two right ones:
        for name, status in (
            ("page as user", 404),
            ("page as bob", 200),
            ("page as plugin", 200),
            ("page as none", 401),
        ):
            assert (await pair.ours.answer(requests[name])).status == status, name
        refused, missing = [
            _REQUEST_ID.sub(b"", (await pair.ours.answer(requests[name])).body).replace(b"hidden", b"unknown")
            for name in ("page as user", "unknown page")
        ]
        assert refused == missing, "what is hidden and what is not there are told in one way"


async def test_nothing_is_built_here_where_the_builder_is_external(tmp_path: Path) -> None:
    external = {"builder": "external"}
    async with backstage_pair(tmp_path, theirs=external, ours=external, published=()) as pair:
        found = await unlike(pair, external_requests())
    assert not all_unexplained(found)
