"""Time that stands still until a test moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 1, 15, 12, 0, 0, 123456, tzinfo=UTC)
"""A time with microseconds, so that losing them shows."""


class ManualClock:
    """A Clock for tests."""

    def __init__(self, now: datetime = NOON) -> None:
        self._now = now

    def now(self) -> datetime:
        """Return the time it was set to."""
        return self._now

    def advance(self, seconds: float) -> datetime:
        """Move on, and return the new time."""
        self._now += timedelta(seconds=seconds)
        return self._now
