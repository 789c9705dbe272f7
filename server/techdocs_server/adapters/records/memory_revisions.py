"""Sites and their revisions in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from techdocs_server.adapters.records.memory_leases import MemoryBlobLeases
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import RevisionNotFound
from techdocs_server.domain.site import KeptRevision, Revision, SitePointer
from techdocs_server.domain.upkeep_errors import RevisionIsCurrent, RevisionPinned


@dataclass(frozen=True, slots=True)
class Published:
    """A pointer, when it last moved, and when it first did."""

    pointer: SitePointer
    create_time: datetime
    update_time: datetime


@dataclass(slots=True)
class RevisionRow:
    """A revision, whether a pointer has named it, and since when it is deleted."""

    revision: Revision
    is_published: bool = False
    delete_time: datetime | None = None


@dataclass(slots=True)
class SiteRecord:
    """What is known of a site. Stays after a deletion, for its version."""

    version: int = 0
    published: Published | None = None
    rows: dict[str, RevisionRow] = field(default_factory=dict)

    @property
    def visible(self) -> Mapping[str, Revision]:
        """Revisions that readers see, by their ids."""
        return {
            revision: row.revision
            for revision, row in self.rows.items()
            if row.is_published and row.delete_time is None
        }

    def is_current(self, revision: str) -> bool:
        """Whether the pointer names a revision."""
        return self.published is not None and self.published.pointer.revision == revision

    def delete(self, entity: EntityRef, revision: str, now: datetime) -> None:
        """Delete a revision. Raises `RevisionNotFound`, `RevisionIsCurrent` and `RevisionPinned`."""
        row = self._row(entity, revision)
        if self.is_current(revision):
            raise RevisionIsCurrent(str(entity), revision)
        if row.revision.is_pinned:
            raise RevisionPinned(str(entity), revision)
        row.delete_time = now

    def delete_all(self, now: datetime) -> None:
        """Delete all revisions."""
        for row in self.rows.values():
            row.delete_time = row.delete_time or now
            row.revision = replace(row.revision, is_pinned=False)

    def pin(self, entity: EntityRef, revision: str, *, pinned: bool) -> bool:
        """Pin a revision or end that; say whether it was different. Raises `RevisionNotFound`."""
        row = self._row(entity, revision)
        was_pinned = row.revision.is_pinned
        row.revision = replace(row.revision, is_pinned=pinned)
        return was_pinned != pinned

    def _row(self, entity: EntityRef, revision: str) -> RevisionRow:
        if revision not in self.visible:
            raise RevisionNotFound(str(entity), revision)
        return self.rows[revision]


class MemoryRevisionSweeping:
    """RevisionSweeping over the sites of `MemorySiteRecords`. ``leases`` are those that publishers take."""

    def __init__(self, sites: dict[EntityRef, SiteRecord]) -> None:
        self._sites = sites
        self.leases = MemoryBlobLeases()

    async def kept(self, *, after: tuple[EntityRef, str] | None, limit: int) -> Sequence[KeptRevision]:
        """Return revisions in the order of their entities and ids."""
        found = [
            KeptRevision(row.revision, record.is_current(revision), row.is_published, row.delete_time)
            for entity, record in sorted(self._sites.items(), key=lambda item: item[0])
            for revision, row in sorted(record.rows.items(), key=lambda item: item[0])
            if after is None or (entity, revision) > after
        ]
        return found[:limit]

    async def purge(
        self, revisions: Collection[tuple[EntityRef, str]], *, deleted_until: datetime, now: datetime
    ) -> int:
        """Forget those of the revisions that nobody can need any more."""
        purged = 0
        for entity, revision in revisions:
            rows = self._sites[entity].rows if entity in self._sites else {}
            row = rows.get(revision)
            if row is not None and self._is_over(row, deleted_until, now):
                del rows[revision]
                purged += 1
        return purged

    def _is_over(self, row: RevisionRow, deleted_until: datetime, now: datetime) -> bool:
        if row.delete_time is not None:
            return row.delete_time <= deleted_until
        return not row.is_published and not self.leases.names(row.revision.revision, now)
