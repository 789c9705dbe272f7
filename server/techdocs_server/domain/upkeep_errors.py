"""Errors of deleting revisions and of collecting garbage: a branch of the tree in `errors`.

::

    Conflict
    ├── RevisionIsCurrent
    ├── RevisionPinned
    └── CollectionRunning
    ContentCorrupt
    └── ManifestUnreadable
"""

from __future__ import annotations

from techdocs_server.domain.errors import Conflict, ContentCorrupt, TechDocsError


class RevisionIsCurrent(Conflict):
    """The revision is the one that is served."""

    reason = "REVISION_IS_CURRENT"

    def __init__(self, ref: str, revision: str) -> None:
        super().__init__(
            f"revision {revision} of {ref} is the current one; roll back to another first, or delete the site",
            metadata={"entity": ref, "revision": revision},
        )


class RevisionPinned(Conflict):
    """The revision is pinned."""

    reason = "REVISION_PINNED"

    def __init__(self, ref: str, revision: str) -> None:
        super().__init__(
            f"revision {revision} of {ref} is pinned; unpin it first", metadata={"entity": ref, "revision": revision}
        )


class CollectionRunning(Conflict):
    """Garbage is being collected already."""

    reason = "COLLECTION_RUNNING"

    def __init__(self) -> None:
        super().__init__("garbage is being collected already; wait for the end of that")


class ManifestUnreadable(ContentCorrupt):
    """Without its manifest nobody knows which blobs a revision needs, so none are collected."""

    def __init__(self, ref: str, revision: str) -> None:
        TechDocsError.__init__(
            self,
            f"nothing more is collected: the manifest of revision {revision} of {ref} is missing or damaged; a forced "
            "sync stores that of the current revision again, any other revision can be deleted",
            metadata={"entity": ref, "revision": revision},
        )
