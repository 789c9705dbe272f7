"""Which revisions are too old and too many."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from techdocs_server.domain.site import KeptRevision


@dataclass(frozen=True, slots=True)
class Retention:
    """The newest ``revisions`` of a site are kept, and all that are younger than ``age``.

    So are the current one and pinned ones. An age of zero keeps none for its youth.
    """

    revisions: int
    age: timedelta

    def retired(self, site: Collection[KeptRevision], *, now: datetime) -> Sequence[KeptRevision]:
        """Return which of all revisions of one site nobody wants to keep."""
        visible = sorted(
            (row for row in site if row.is_visible),
            key=lambda row: (row.revision.create_time, row.revision.revision),
            reverse=True,
        )
        return [
            row
            for row in visible[self.revisions :]
            if not row.is_current and not row.revision.is_pinned and row.revision.create_time <= now - self.age
        ]
