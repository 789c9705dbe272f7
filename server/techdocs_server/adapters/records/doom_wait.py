"""Waiting for leases of what is being deleted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from techdocs_server.domain.errors import StorageUnavailable


@dataclass(frozen=True, slots=True)
class DoomWait:
    """How long to wait, in seconds.

    A batch of deletions takes about one. What a collector that died left is let go
    when none has worked for ``abandoned``: a request that it had sent has ended by then.
    """

    patience: float = 30.0
    abandoned: float = 10.0
    poll: float = 0.1

    async def until_taken(
        self,
        take: Callable[[], Awaitable[bool]],
        *,
        nobody_collects: Callable[[], Awaitable[bool]],
        let_go: Callable[[], Awaitable[None]],
    ) -> None:
        """Take until it succeeds. Raises `StorageUnavailable` when patience ends."""
        begun = time.monotonic()
        idle_since: float | None = None
        while not await take():
            now = time.monotonic()
            if now - begun >= self.patience:
                raise StorageUnavailable(f"what is needed was being deleted for {self.patience:g} seconds")
            if not await nobody_collects():
                idle_since = None
            elif idle_since is None:
                idle_since = now
            elif now - idle_since >= self.abandoned:
                await let_go()
            await asyncio.sleep(self.poll)
