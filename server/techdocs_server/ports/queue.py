"""Handing builds to whoever runs them."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Protocol

from techdocs_server.domain.build import Build

WasCancelled = Callable[[], bool]
"""Tells, of a build whose task is cancelled, whether somebody asked for that; else the process stops."""


class RunBuild(Protocol):
    """Runs one build to its end. Never raises but `CancelledError`."""

    async def __call__(self, build_id: str, was_cancelled: WasCancelled) -> None:
        """Run it."""
        ...


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


class JobState(enum.Enum):
    """How the job of a build stands, in a queue that several processes share."""

    WAITING = enum.auto()
    RUNNING = enum.auto()
    LOST = enum.auto()
    """Its worker no longer says that it lives."""


class SharedBuildQueue(BuildQueue, Protocol):
    """A queue of several processes, each of which may be lost. Methods raise `StorageUnavailable` too."""

    async def jobs(self) -> Mapping[str, JobState]:
        """Return the ids of builds that have a job, and how it stands."""
        ...

    async def requeue(self, build: Build) -> None:
        """Put a build that is queued in a new job in place of the one that was lost, if there is that one.

        Nothing happens when somebody else has done so.
        """
        ...

    async def forget(self, build_id: str) -> None:
        """Drop the lost job of a build that has ended."""
        ...
