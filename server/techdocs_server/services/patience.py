"""Waiting for a store that is away for a moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from techdocs_server.domain.errors import StorageUnavailable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to go on asking a store that does not answer, and how long to wait in between.

    For work that nobody waits for at a browser: a user's call fails at once, and its caller decides.
    """

    seconds: float = 0.0
    pause_seconds: float = 0.5

    async def until_answered(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Return what ``ask`` returns, asking again while it raises `StorageUnavailable`.

        Raises that of the last time, once the patience is over; everything else at once. An
        ask that failed may have happened all the same: ``ask`` must be fit to be repeated.
        """
        end = time.monotonic() + self.seconds
        while True:
            try:
                return await ask()
            except StorageUnavailable:
                if time.monotonic() + self.pause_seconds > end:
                    raise
            await asyncio.sleep(self.pause_seconds)


NONE = Patience()
"""Asks once."""
IN_BUILDS = Patience(seconds=30.0)
"""Outlasts a database that restarts or fails over. A build has taken longer than that to get here, or will."""
