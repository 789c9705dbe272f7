"""What changes published sites: each change is written down with its cause, in the transaction that makes it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime

from techdocs_server.domain.entity import EntityRef


class SiteAction(enum.StrEnum):
    """What was done to a site."""

    PUBLISHED = "published"
    """A build or a publish made a revision current."""
    SOURCE_SEEN = "source_seen"
    """A build found that a new state of the source makes the files that are current."""
    ROLLED_BACK = "rolled_back"
    """Somebody made an earlier revision current."""
    DELETED = "deleted"
    """The site is gone, with all revisions."""
    REVISION_DELETED = "revision_deleted"
    """A revision that was not current is gone."""
    REVISION_PINNED = "revision_pinned"
    """A revision is kept whatever its age."""
    REVISION_UNPINNED = "revision_unpinned"
    """A revision is kept as long as its age allows."""
    IMPORTED = "imported"
    """A site that another service had published became a revision."""
    RECOVERED = "recovered"
    """A site was found in the object store again after the records were lost."""


POINTER_ACTIONS = frozenset(
    {
        SiteAction.PUBLISHED,
        SiteAction.SOURCE_SEEN,
        SiteAction.ROLLED_BACK,
        SiteAction.DELETED,
        SiteAction.IMPORTED,
        SiteAction.RECOVERED,
    }
)
"""Those after which readers may see something else, or a site has another etag."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a site is changed: what is done, by whom, and in which call or build.

    ``actor`` is a caller as the server knows it, or ``system``; ``build`` is the name of a build or empty.
    """

    action: SiteAction = SiteAction.PUBLISHED
    actor: str = "system"
    request_id: str = ""
    build: str = ""


@dataclass(frozen=True, slots=True)
class SiteChange:
    """One change. ``sequence`` grows with every change of any site, in the order in which they became visible.

    ``revision`` is the current one afterwards (for what is done to another revision, that
    one); empty when there is none. ``version`` is the pointer's.
    """

    sequence: int
    change_time: datetime
    entity: EntityRef
    revision: str
    previous_revision: str
    version: int
    cause: Cause
