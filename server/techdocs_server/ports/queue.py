"""Handing builds to whoever runs them."""

from __future__ import annotations

from typing import Protocol

from techdocs_server.domain.build import Build


class BuildQueue(Protocol):
    """Runs queued builds, a bounded number at a time.

    Builds that somebody asked for go before those of the schedule; among equals,
    owners take turns, and one owner's builds keep their order.
    """

    async def ensure_room(self) -> None:
        """Raise `BuildQueueFull` when a submit now would."""
        ...

    async def submit(self, build: Build) -> None:
        """Queue a build and return at once. One that is queued or running already is not queued twice.

        Raises `BuildQueueFull` when the bound is reached, and nothing is queued.
        """
        ...

    async def promote(self, build_id: str) -> None:
        """Let a waiting build of the schedule go with those that somebody asked for. Others are left alone."""
        ...

    async def cancel(self, build_id: str) -> None:
        """Stop a build: one that waits never runs, one that runs is cancelled. Unknown ids are ignored."""
        ...
