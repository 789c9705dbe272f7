"""Snapshots in memory: for tests, and for trying the service out."""

from __future__ import annotations

from collections.abc import AsyncIterator

from techdocs_server.adapters.snapshots.names import keys_of, newest_of, path_of, pruned
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.site_snapshot import SiteSnapshot, SnapshotKey
from techdocs_server.ports.site_snapshots import FoundSnapshot


class MemorySiteSnapshots:
    """SiteSnapshots that are gone with their process. ``contents`` are the bytes, by path."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}

    async def write(self, snapshot: SiteSnapshot) -> None:
        """Keep a snapshot."""
        self.contents[path_of(snapshot.entity, snapshot.key)] = snapshot.to_json()

    async def newest(self) -> AsyncIterator[FoundSnapshot]:
        """Yield every site of which there is a snapshot."""
        async for found in newest_of(keys_of(self.contents), self._read):
            yield found

    async def prune(self, entity: EntityRef) -> None:
        """Forget snapshots of a site but the newest."""
        for key in pruned(keys_of(self.contents).get(entity, [])):
            del self.contents[path_of(entity, key)]

    async def _read(self, entity: EntityRef, key: SnapshotKey) -> bytes | None:
        return self.contents.get(path_of(entity, key))
