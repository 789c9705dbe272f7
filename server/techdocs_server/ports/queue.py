"""Handing builds to whoever runs them."""

from __future__ import annotations

from typing import Protocol


class BuildQueue(Protocol):
    """Runs queued builds, a bounded number at a time, first come first served."""

    async def ensure_room(self) -> None:
        """Raise `BuildQueueFull` when a submit now would."""
        ...

    async def submit(self, build_id: str) -> None:
        """Queue a build and return at once. One that is queued or running already is not queued twice.

        Raises `BuildQueueFull` when the bound is reached, and nothing is queued.
        """
        ...

    async def cancel(self, build_id: str) -> None:
        """Stop a build: one that waits never runs, one that runs is cancelled. Unknown ids are ignored."""
        ...
