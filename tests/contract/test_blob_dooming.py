"""What all records promise of dooming blobs beside those who lease them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from techdocs_server.adapters.records.doom_wait import DoomWait
from techdocs_server.adapters.records.engine import SqlDatabase
from techdocs_server.adapters.records.memory_leases import MemoryBlobLeases
from techdocs_server.adapters.records.migrations.upgrade import upgrade
from techdocs_server.adapters.records.sql_dooming import SqlBlobDooming
from techdocs_server.adapters.records.sql_leases import SqlBlobLeases
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.domain.upkeep_errors import CollectionRunning
from techdocs_server.ports.blob_leases import BlobLeases
from techdocs_server.ports.dooming import BlobDooming

from tests.support.clocks import NOON
from tests.support.record_values import entity
from tests.support.stores import BUILD_RECORDS, open_database

SITE = entity("docs")
BLOBS = [Digest.of(b"%d" % number) for number in range(4)]
NAMES = [blob.sha256 for blob in BLOBS]
LATER = NOON + timedelta(hours=1)
IMPATIENT = DoomWait(patience=0.6, abandoned=0.2, poll=0.02)


@dataclass
class Both:
    leases: BlobLeases
    dooming: BlobDooming


@asynccontextmanager
async def opened(kind: str, folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Both]:
    if kind == "memory":
        memory = MemoryBlobLeases(wait=IMPATIENT)
        yield Both(memory, memory)
        return
    server = request.getfixturevalue("postgresql_server") if kind == "postgresql" else None
    async with open_database(folder, server) as database:
        yield Both(SqlBlobLeases(database, wait=IMPATIENT), SqlBlobDooming(database, wait=IMPATIENT))


@asynccontextmanager
async def database_at(url: str) -> AsyncIterator[SqlDatabase]:
    database = SqlDatabase(url)
    try:
        await upgrade(database)
        yield database
    finally:
        await database.close()


@pytest.fixture(params=BUILD_RECORDS)
async def both(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Both]:
    async with opened(request.param, tmp_path, request) as opened_records:
        yield opened_records


async def test_what_is_leased_is_not_doomed(both: Both) -> None:
    await both.leases.take(SITE, BLOBS[:1], until=LATER)
    await both.leases.take(entity("other"), BLOBS[1:2], until=NOON)
    async with both.dooming.collecting():
        assert await both.dooming.unleased(NAMES, now=NOON) == frozenset(NAMES[1:])
        assert await both.dooming.doom(NAMES, now=NOON) == frozenset(NAMES[1:])
        await both.dooming.spare(NAMES)
        assert await both.dooming.doom(NAMES, now=LATER) == frozenset(NAMES)
        await both.dooming.spare(NAMES)
        assert await both.dooming.doom([], now=LATER) == frozenset()


async def test_lease_of_what_is_doomed_is_taken_when_that_is_over(both: Both) -> None:
    async with both.dooming.collecting():
        await both.dooming.doom(NAMES[:2], now=NOON)
        taking = asyncio.create_task(both.leases.take(SITE, BLOBS[1:], until=LATER))
        await both.leases.take(SITE, BLOBS[2:3], until=LATER)  # not doomed: at once
        assert not taking.done()
        assert await both.leases.held(SITE, BLOBS, now=NOON) == frozenset(BLOBS[2:3])
        await both.dooming.spare(NAMES[:2])
        await taking
    assert await both.leases.held(SITE, BLOBS, now=NOON) == frozenset(BLOBS[1:])


async def test_who_waits_too_long_is_told_and_holds_nothing(both: Both) -> None:
    async with both.dooming.collecting():
        await both.dooming.doom(NAMES[:1], now=NOON)
        with pytest.raises(StorageUnavailable):
            await both.leases.take(SITE, BLOBS, until=LATER)
        assert await both.leases.held(SITE, BLOBS, now=NOON) == frozenset()


async def test_what_a_collector_that_broke_off_doomed_is_let_go_by_who_needs_it(both: Both) -> None:
    with pytest.raises(StorageUnavailable):
        async with both.dooming.collecting():
            await both.dooming.doom(NAMES, now=NOON)
            raise StorageUnavailable("the store broke off")
    begun = asyncio.get_running_loop().time()
    await both.leases.take(SITE, BLOBS, until=LATER)
    assert asyncio.get_running_loop().time() - begun >= IMPATIENT.abandoned
    assert await both.leases.held(SITE, BLOBS, now=NOON) == frozenset(BLOBS)


async def test_what_a_collector_that_broke_off_doomed_is_let_go_by_the_next(both: Both) -> None:
    with pytest.raises(StorageUnavailable):
        async with both.dooming.collecting():
            await both.dooming.doom(NAMES, now=NOON)
            raise StorageUnavailable("the store broke off")
    begun = asyncio.get_running_loop().time()
    async with both.dooming.collecting():
        assert asyncio.get_running_loop().time() - begun >= IMPATIENT.abandoned
        await both.leases.take(SITE, BLOBS, until=LATER)
        assert await both.dooming.doom(NAMES, now=NOON) == frozenset()


async def test_only_one_collector_works_at_a_time(both: Both) -> None:
    async with both.dooming.collecting():
        with pytest.raises(CollectionRunning):
            async with both.dooming.collecting():
                raise AssertionError("two collectors at once")
    async with both.dooming.collecting():
        pass


async def test_leases_that_ended_are_forgotten(both: Both) -> None:
    await both.leases.take(SITE, BLOBS[:2], until=LATER)
    await both.leases.take(SITE, BLOBS[2:], until=LATER + timedelta(hours=1))
    await both.dooming.forget_leases(until=LATER)
    assert await both.leases.held(SITE, BLOBS, now=NOON) == frozenset(BLOBS[2:])


async def test_blob_is_leased_or_doomed_and_never_both(both: Both) -> None:
    outcomes: list[frozenset[str]] = []

    async def collect() -> None:
        while not outcomes or outcomes[-1]:
            doomed = await both.dooming.doom(NAMES, now=NOON)
            held = {blob.sha256 for blob in await both.leases.held(SITE, BLOBS, now=NOON)}
            assert not doomed & held
            outcomes.append(doomed)
            await both.dooming.spare(doomed)
            await asyncio.sleep(0.02)

    async def publish(blob: Digest) -> None:
        while not outcomes:
            await asyncio.sleep(0.001)
        await both.leases.take(SITE, [blob], until=LATER)

    async with asyncio.timeout(20), both.dooming.collecting():
        await asyncio.gather(collect(), *(publish(blob) for blob in BLOBS))
    assert await both.leases.held(SITE, BLOBS, now=NOON) == frozenset(BLOBS)
    assert outcomes[0] == frozenset(NAMES)


async def test_collector_of_another_process_is_seen_on_postgresql(
    request: pytest.FixtureRequest,
) -> None:
    server = request.getfixturevalue("postgresql_server")
    url = server.new_database()
    async with database_at(url) as here, database_at(url) as elsewhere:
        first, second = (SqlBlobDooming(database, wait=IMPATIENT) for database in (here, elsewhere))
        async with first.collecting():
            with pytest.raises(CollectionRunning):
                async with second.collecting():
                    raise AssertionError("two collectors at once")
            await first.doom(NAMES[:1], now=NOON)
            # It works, so what it doomed is not let go.
            with pytest.raises(StorageUnavailable):
                await SqlBlobLeases(elsewhere, wait=IMPATIENT).take(SITE, BLOBS, until=LATER)
            await first.spare(NAMES[:1])
        async with second.collecting():
            pass
