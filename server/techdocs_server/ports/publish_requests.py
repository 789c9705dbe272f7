"""Publishes that can be repeated, by the ids that their callers gave them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from techdocs_server.domain.entity import EntityRef

REMEMBERED = timedelta(days=7)
"""How long a request id is known, at least. Nobody tries a publish again after a week."""


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """One publish as its caller tells it from others. ``fingerprint`` is of everything it announced."""

    request_id: str
    fingerprint: str
    entity: EntityRef


@dataclass(frozen=True, slots=True)
class PublishAnswer:
    """What came of a publish."""

    revision: str
    updated: bool


@dataclass(frozen=True, slots=True)
class EarlierPublish:
    """A publish that began before. ``answer`` is None when it did not get to its end, or nobody knows."""

    answer: PublishAnswer | None


class PublishRequests(Protocol):
    """Remembers publishes. Every method is atomic; only `StorageUnavailable` leaves an implementation otherwise."""

    async def begin(self, request: PublishRequest, *, now: datetime) -> EarlierPublish | None:
        """Remember a publish for `REMEMBERED` and return None; where its id is known already, return what came of it.

        Raises `RequestIdReused` when the id is known with another fingerprint.
        """
        ...

    async def finish(self, request: PublishRequest, answer: PublishAnswer) -> None:
        """Remember what came of a publish that began. The first answer stays."""
        ...
