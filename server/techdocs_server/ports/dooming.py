"""How a collector and publishers agree on which blobs go.

A publisher leases what it needs before it asks the store whether that is there. A
collector dooms what it is about to delete, which fails for what is leased; and as
long as something is doomed, nobody gets a lease of it. So a publisher either keeps
a blob, or finds it missing and stores it again, after it was deleted.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol


class BlobDooming(Protocol):
    """What a collector does with the leases. Only `StorageUnavailable` leaves, besides what a method names."""

    def collecting(self) -> AbstractAsyncContextManager[None]:
        """Return the context in which one collector works. Entering raises `CollectionRunning` when another does.

        What a collector that died had doomed is let go first, some seconds later: a
        deletion that it had sent may still be under way.
        """
        ...

    async def unleased(self, sha256s: Collection[str], *, now: datetime) -> frozenset[str]:
        """Return those that no lease names now."""
        ...

    async def doom(self, sha256s: Collection[str], *, now: datetime) -> frozenset[str]:
        """Doom those that no lease names now, and return them. Only inside of `collecting`."""
        ...

    async def spare(self, sha256s: Collection[str]) -> None:
        """End what `doom` began: they are deleted, or were never touched."""
        ...

    async def forget_leases(self, *, until: datetime) -> None:
        """Forget leases that ended at that time or before."""
        ...
