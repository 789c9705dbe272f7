"""Signing keys in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from techdocs_server.ports.signing_keys import StoredSigningKey


class MemorySigningKeys:
    """SigningKeyRecords that are gone with their process."""

    def __init__(self) -> None:
        self._keys: dict[int, StoredSigningKey] = {}

    async def keys(self) -> Sequence[StoredSigningKey]:
        """Return all keys by their number."""
        return [self._keys[number] for number in sorted(self._keys)]

    async def add(self, key: StoredSigningKey) -> bool:
        """Keep a key; say whether it is kept."""
        return self._keys.setdefault(key.number, key) is key

    async def forget(self, *, before: datetime) -> None:
        """Remove the keys that were made before a time."""
        self._keys = {number: key for number, key in self._keys.items() if key.create_time >= before}
