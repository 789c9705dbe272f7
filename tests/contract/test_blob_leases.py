"""What all BlobLeases promise."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from techdocs_server.domain.digest import Digest
from techdocs_server.ports.blob_leases import BlobLeases

from tests.support.clocks import NOON
from tests.support.record_values import entity
from tests.support.stores import BUILD_RECORDS, open_records

SITE, OTHER = entity("docs"), entity("other")
BLOBS = [Digest.of(str(number).encode()) for number in range(3)]
LATER = NOON + timedelta(hours=1)


@pytest.fixture(params=BUILD_RECORDS)
async def leases(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BlobLeases]:
    server = request.getfixturevalue("postgresql_server") if request.param == "postgresql" else None
    async with open_records(request.param, tmp_path, server) as opened:
        yield opened.leases


async def test_lease_holds_until_its_end_for_its_entity_only(leases: BlobLeases) -> None:
    await leases.take(SITE, BLOBS[:2], until=LATER)
    assert await leases.held(SITE, BLOBS, now=NOON) == frozenset(BLOBS[:2])
    assert await leases.held(OTHER, BLOBS, now=NOON) == frozenset()
    assert await leases.held(SITE, BLOBS, now=LATER) == frozenset()


async def test_lease_grows_longer_and_never_shorter(leases: BlobLeases) -> None:
    await leases.take(SITE, BLOBS[:1], until=LATER)
    await leases.take(SITE, BLOBS[:2], until=LATER + timedelta(hours=1))
    await leases.take(SITE, BLOBS[:2], until=NOON + timedelta(minutes=1))
    assert await leases.held(SITE, BLOBS, now=LATER) == frozenset(BLOBS[:2])


async def test_digest_of_another_size_is_another_digest(leases: BlobLeases) -> None:
    await leases.take(SITE, BLOBS[:1], until=LATER)
    other = Digest(BLOBS[0].sha256, BLOBS[0].size_bytes + 1)
    assert await leases.held(SITE, [other], now=NOON) == frozenset()


async def test_thousands_of_leases_are_taken_at_once_and_none_is_an_answer(leases: BlobLeases) -> None:
    many = [Digest.of(f"blob {number}".encode()) for number in range(2500)]
    await leases.take(SITE, [*many, many[0]], until=LATER)
    assert await leases.held(SITE, many, now=NOON) == frozenset(many)
    await leases.take(SITE, [], until=LATER)
    assert await leases.held(SITE, [], now=NOON) == frozenset()
