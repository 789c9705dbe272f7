"""Following what changes published sites."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from techdocs_server.domain.change import SiteChange
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import ServerDraining
from techdocs_server.ports.changes import ChangeRecords

_PAGE = 500
HEARTBEAT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class SiteFilter:
    """Which sites a follower wants; what is empty matches all."""

    namespace: str = ""
    kind: str = ""
    name: str = ""

    def matches(self, entity: EntityRef) -> bool:
        """Whether a site is wanted."""
        wanted = ((self.namespace, entity.namespace), (self.kind, entity.kind), (self.name, entity.name))
        return all(not asked or asked.lower() == found for asked, found in wanted)


class SiteChanges:
    """Lets any number of followers hear of changes, in the order in which they became visible.

    Whoever writes changes, or hears that somebody has, calls `heard`. One that was missed is
    found at the next heartbeat, from the records.
    """

    def __init__(self, records: ChangeRecords, *, heartbeat_seconds: float = HEARTBEAT_SECONDS) -> None:
        self._records = records
        self._heartbeat_seconds = heartbeat_seconds
        self._changed = asyncio.Event()
        self._closed = False

    def heard(self) -> None:
        """Something has changed."""
        self._changed.set()
        self._changed = asyncio.Event()

    def close(self) -> None:
        """End every watch with `ServerDraining`, now and from now on."""
        self._closed = True
        self.heard()

    async def watch(self, *, after_sequence: int | None, only: SiteFilter) -> AsyncIterator[SiteChange | int]:
        """Yield the changes after one that the follower has seen, then those that come, without end.

        None begins with what comes from now on. A number is a heartbeat, and the first thing that comes:
        the sequence of the last change that was looked at, from which the follower may go on later.
        Raises `ServerDraining` when this server stops, and `StorageUnavailable`.
        """
        seen = await self._records.newest_change() if after_sequence is None else after_sequence
        yield seen
        while True:
            changed = self._changed
            found = await self._records.changes_after(seen, limit=_PAGE)
            for change in found:
                seen = change.sequence
                if only.matches(change.entity):
                    yield change
            if self._closed:
                raise ServerDraining
            if not found and not await _waited(changed, self._heartbeat_seconds):
                yield seen


async def _waited(changed: asyncio.Event, seconds: float) -> bool:
    """Wait for a change; return whether there was one in time."""
    try:
        async with asyncio.timeout(seconds):
            await changed.wait()
    except TimeoutError:
        return False
    return True
