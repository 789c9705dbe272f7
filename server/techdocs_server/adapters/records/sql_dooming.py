"""What a collector does with the leases of blobs in a database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import datetime

from sqlalchemy import Connection, delete, exists, insert, select

from techdocs_server.adapters.records.doom_wait import DoomWait
from techdocs_server.adapters.records.engine import SqlDatabase
from techdocs_server.adapters.records.lease_gate import enter_as_collector
from techdocs_server.adapters.records.schema import blob_leases, doomed_blobs


class SqlBlobDooming:
    """BlobDooming over a database that `upgrade` has brought up to date. Takes some hundred digests at a time."""

    def __init__(self, database: SqlDatabase, *, wait: DoomWait = DoomWait()) -> None:  # noqa: B008 - it does not change
        self._database = database
        self._wait = wait

    @asynccontextmanager
    async def collecting(self) -> AsyncIterator[None]:
        """Return the context in which one collector works."""
        async with self._database.collector.held():
            if await self._database.read(_is_any_doomed):
                await asyncio.sleep(self._wait.abandoned)
                await self._database.write(_let_go)
            yield

    async def unleased(self, sha256s: Collection[str], *, now: datetime) -> frozenset[str]:
        """Return those that no lease names now."""
        return await self._database.read(_unleased, sha256s, now)

    async def doom(self, sha256s: Collection[str], *, now: datetime) -> frozenset[str]:
        """Doom those that no lease names now, and return them."""
        await self._database.collector.check()
        return await self._database.write(_doom, sha256s, now)

    async def spare(self, sha256s: Collection[str]) -> None:
        """End what `doom` began."""
        await self._database.write(_spare, sha256s)

    async def forget_leases(self, *, until: datetime) -> None:
        """Forget leases that ended at that time or before."""
        await self._database.write(_forget_leases, until)


def _unleased(connection: Connection, sha256s: Collection[str], now: datetime) -> frozenset[str]:
    statement = select(blob_leases.c.sha256).where(blob_leases.c.sha256.in_(sha256s), blob_leases.c.until > now)
    return frozenset(sha256s).difference(connection.execute(statement).scalars())


def _doom(connection: Connection, sha256s: Collection[str], now: datetime) -> frozenset[str]:
    enter_as_collector(connection)
    doomed = _unleased(connection, sha256s, now)
    if doomed:
        connection.execute(insert(doomed_blobs), [{"sha256": sha256} for sha256 in sorted(doomed)])
    return doomed


def _spare(connection: Connection, sha256s: Collection[str]) -> None:
    connection.execute(delete(doomed_blobs).where(doomed_blobs.c.sha256.in_(sha256s)))


def _is_any_doomed(connection: Connection) -> bool:
    return bool(connection.scalar(select(exists().select_from(doomed_blobs))))


def _let_go(connection: Connection) -> None:
    connection.execute(delete(doomed_blobs))


def _forget_leases(connection: Connection, until: datetime) -> None:
    connection.execute(delete(blob_leases).where(blob_leases.c.until <= until))
