"""Changes of sites in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from techdocs_server.domain.change import Cause, SiteChange
from techdocs_server.domain.entity import EntityRef


class MemoryChangeRecords:
    """ChangeRecords that are gone with their process. They have no bound."""

    def __init__(self) -> None:
        self._changes: list[SiteChange] = []

    def note(
        self, entity: EntityRef, cause: Cause, *, revision: str, previous_revision: str, version: int, now: datetime
    ) -> None:
        """Write down what has just been done."""
        sequence = len(self._changes) + 1
        self._changes.append(SiteChange(sequence, now, entity, revision, previous_revision, version, cause))

    async def newest_change(self) -> int:
        """Return the sequence of the newest change, 0 when there is none."""
        return len(self._changes)

    async def changes_after(self, sequence: int, *, limit: int) -> Sequence[SiteChange]:
        """Return changes in order, from the one after ``sequence``."""
        return self._changes[sequence : sequence + limit]

    async def changes(self, *, entity: EntityRef | None, before: int | None, limit: int) -> Sequence[SiteChange]:
        """Return changes, newest first."""
        found = [
            change
            for change in reversed(self._changes)
            if entity in (None, change.entity) and (before is None or change.sequence < before)
        ]
        return found[:limit]
