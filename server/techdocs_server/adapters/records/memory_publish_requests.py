"""Publishes by request id, in memory."""

from __future__ import annotations

from datetime import datetime

from techdocs_server.domain.errors import RequestIdReused
from techdocs_server.ports.publish_requests import REMEMBERED, EarlierPublish, PublishAnswer, PublishRequest


class MemoryPublishRequests:
    """PublishRequests that are gone with their process. They have no bound."""

    def __init__(self) -> None:
        self._begun: dict[str, tuple[str, datetime]] = {}
        self._answers: dict[str, PublishAnswer] = {}

    async def begin(self, request: PublishRequest, *, now: datetime) -> EarlierPublish | None:
        """Remember a publish, or return what came of it."""
        known = self._begun.get(request.request_id)
        if known is None or known[1] < now - REMEMBERED:
            self._begun[request.request_id] = (request.fingerprint, now)
            self._answers.pop(request.request_id, None)
            return None
        if known[0] != request.fingerprint:
            raise RequestIdReused
        return EarlierPublish(self._answers.get(request.request_id))

    async def finish(self, request: PublishRequest, answer: PublishAnswer) -> None:
        """Remember what came of a publish."""
        self._answers.setdefault(request.request_id, answer)
