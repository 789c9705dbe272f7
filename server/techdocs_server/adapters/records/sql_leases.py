"""Leases of blobs in a database."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from techdocs_server.adapters.records.doom_wait import DoomWait
from techdocs_server.adapters.records.engine import SqlDatabase
from techdocs_server.adapters.records.lease_gate import enter_as_publisher
from techdocs_server.adapters.records.schema import blob_leases, doomed_blobs
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.entity import EntityRef

# A database takes some tens of thousands of parameters in one statement; a lease has six.
_BATCH = 1000


class SqlBlobLeases:
    """BlobLeases over a database that `upgrade` has brought up to date."""

    def __init__(self, database: SqlDatabase, *, wait: DoomWait = DoomWait()) -> None:  # noqa: B008 - it does not change
        self._database = database
        self._wait = wait

    async def take(self, entity: EntityRef, digests: Collection[Digest], *, until: datetime) -> None:
        """Lease digests for an entity, or make its leases longer."""
        wanted = sorted(set(digests))
        if wanted:
            await self._wait.until_taken(
                lambda: self._database.write(_take, entity, wanted, until),
                nobody_collects=lambda: self._database.read(self._database.collector.is_free),
                let_go=lambda: self._database.write(self._let_go),
            )

    async def held(self, entity: EntityRef, digests: Collection[Digest], *, now: datetime) -> frozenset[Digest]:
        """Return those of the digests that the entity holds a lease of."""
        return await self._database.read(_held, entity, sorted(set(digests)), now)

    def _let_go(self, connection: Connection) -> None:
        if self._database.collector.is_free(connection):
            connection.execute(delete(doomed_blobs))


def _take(connection: Connection, entity: EntityRef, digests: Sequence[Digest], until: datetime) -> bool:
    """Take all leases, or none when one of the digests is doomed; say which."""
    enter_as_publisher(connection)
    if _is_any_doomed(connection, digests):
        return False
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    for batch in _batches(digests):
        rows = [
            {
                "namespace": entity.namespace,
                "kind": entity.kind,
                "name": entity.name,
                "sha256": digest.sha256,
                "size_bytes": digest.size_bytes,
                "until": until,
            }
            for digest in batch
        ]
        statement = dialect.insert(blob_leases).values(rows)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["namespace", "kind", "name", "sha256"],
                set_={"until": statement.excluded.until},
                where=blob_leases.c.until < statement.excluded.until,
            )
        )
    return True


def _is_any_doomed(connection: Connection, digests: Sequence[Digest]) -> bool:
    if connection.execute(select(doomed_blobs.c.sha256).limit(1)).first() is None:
        return False  # as nearly always
    for batch in _batches(digests):
        named = doomed_blobs.c.sha256.in_([digest.sha256 for digest in batch])
        if connection.execute(select(doomed_blobs.c.sha256).where(named).limit(1)).first() is not None:
            return True
    return False


def _held(connection: Connection, entity: EntityRef, digests: Sequence[Digest], now: datetime) -> frozenset[Digest]:
    found: set[Digest] = set()
    for batch in _batches(digests):
        statement = select(blob_leases.c.sha256, blob_leases.c.size_bytes).where(
            blob_leases.c.namespace == entity.namespace,
            blob_leases.c.kind == entity.kind,
            blob_leases.c.name == entity.name,
            blob_leases.c.until > now,
            blob_leases.c.sha256.in_([digest.sha256 for digest in batch]),
        )
        found.update(Digest(row.sha256, row.size_bytes) for row in connection.execute(statement))
    return frozenset(found.intersection(digests))


def _batches(digests: Sequence[Digest]) -> Iterator[Sequence[Digest]]:
    for start in range(0, len(digests), _BATCH):
        yield digests[start : start + _BATCH]
