"""What decides how long the records hold revisions, and removes them in the end."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.site import KeptRevision


class RevisionSweeping(Protocol):
    """All revisions of all sites. Only `StorageUnavailable` leaves an implementation. Every method is atomic."""

    async def kept(self, *, after: tuple[EntityRef, str] | None, limit: int) -> Sequence[KeptRevision]:
        """Return revisions in the order of their entities and ids, deleted and never published ones too.

        ``after`` is (entity, revision) of the last one seen.
        """
        ...

    async def purge(
        self, revisions: Collection[tuple[EntityRef, str]], *, deleted_until: datetime, now: datetime
    ) -> int:
        """Forget those of the revisions that nobody can need any more, and return how many they were.

        They are those deleted at that time or before, and those that no pointer ever
        named and whose manifest no lease names now: no publish is about to name them.
        """
        ...
