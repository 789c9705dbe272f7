"""Signing keys in a database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, select

from techdocs_server.adapters.records.engine import SqlDatabase
from techdocs_server.adapters.records.schema import signing_keys
from techdocs_server.adapters.records.upserts import insert_if_absent
from techdocs_server.ports.signing_keys import StoredSigningKey


class SqlSigningKeys:
    """SigningKeyRecords over a database that `upgrade` has brought up to date."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    async def keys(self) -> Sequence[StoredSigningKey]:
        """Return all keys by their number."""
        return await self._database.read(_keys)

    async def add(self, key: StoredSigningKey) -> bool:
        """Keep a key; say whether it is kept."""
        return await self._database.write(_add, key)

    async def forget(self, *, before: datetime) -> None:
        """Remove the keys that were made before a time."""
        await self._database.write(_forget, before)


def _keys(connection: Connection) -> list[StoredSigningKey]:
    rows = connection.execute(select(signing_keys).order_by(signing_keys.c.number))
    return [StoredSigningKey(row.number, row.kid, row.private_key, row.create_time) for row in rows]


def _add(connection: Connection, key: StoredSigningKey) -> bool:
    row = {"number": key.number, "kid": key.kid, "private_key": key.private_key, "create_time": key.create_time}
    return insert_if_absent(connection, signing_keys, row)


def _forget(connection: Connection, before: datetime) -> None:
    connection.execute(delete(signing_keys).where(signing_keys.c.create_time < before))
