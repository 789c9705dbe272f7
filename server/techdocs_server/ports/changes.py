"""Reading what has changed. Changes are written by the methods of other ports that make them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from techdocs_server.domain.change import SiteChange
from techdocs_server.domain.entity import EntityRef


class ChangeRecords(Protocol):
    """The changes of all sites, in one order. Only `StorageUnavailable` leaves an implementation."""

    async def newest_change(self) -> int:
        """Return the sequence of the newest change, 0 when there is none."""
        ...

    async def changes_after(self, sequence: int, *, limit: int) -> Sequence[SiteChange]:
        """Return changes in order, from the one after ``sequence``.

        Whoever has seen the change n misses none by asking for those after n: a change never appears before
        one that is there already.
        """
        ...

    async def changes(self, *, entity: EntityRef | None, before: int | None, limit: int) -> Sequence[SiteChange]:
        """Return changes, newest first; ``before`` is the sequence of the last one seen."""
        ...
