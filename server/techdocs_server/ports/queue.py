"""Handing builds to whoever runs them."""

from __future__ import annotations

from typing import Protocol


class BuildQueue(Protocol):
    """Runs queued builds, a bounded number at a time, first come first served."""

    async def submit(self, build_id: str) -> None:
        """Queue a build. Returns at once.

        Raises `BuildQueueFull` when the bound is reached, and nothing is queued.
        A build that is queued or running already is not queued twice.
        """
        ...

    async def cancel(self, build_id: str) -> None:
        """Stop a build: one that waits never runs, one that runs gets cancelled. Unknown ids are ignored."""
        ...
