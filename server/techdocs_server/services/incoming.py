"""The messages of one publish, in the order that the contract has them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from techdocs_server.domain.errors import DeadlineExceeded
from techdocs_server.domain.publish import (
    AnnouncedSite,
    Announcement,
    Chunk,
    ManifestPart,
    PublishHeader,
    PublishLimits,
    PublishMessage,
)
from techdocs_server.domain.publish_errors import StreamOrderInvalid


class IncomingPublish:
    """Reads a stream step by step: `header`, then `site`, then `chunks`.

    Every step raises `StreamOrderInvalid` for a message that is not its own, and
    `DeadlineExceeded` when none comes for ``idle_seconds``.
    """

    def __init__(self, messages: AsyncIterator[PublishMessage], *, idle_seconds: float) -> None:
        self._messages = messages
        self._idle_seconds = idle_seconds
        self._first_chunk: Chunk | None = None

    async def header(self) -> PublishHeader:
        """Return the first message."""
        message = await self._next()
        if not isinstance(message, PublishHeader):
            raise StreamOrderInvalid("it does not begin with a header")
        return message

    async def site(self, header: PublishHeader, limits: PublishLimits) -> AnnouncedSite:
        """Return the whole manifest. Raises `ManifestRefused` and `QuotaExceeded` as soon as either is known."""
        announcement = Announcement(header, limits)
        message = await self._next()
        while isinstance(message, ManifestPart):
            announcement.add(message)
            message = await self._next()
        if isinstance(message, PublishHeader):
            raise StreamOrderInvalid("it has a second header")
        self._first_chunk = message
        return announcement.whole()

    async def chunks(self) -> AsyncIterator[Chunk]:
        """Yield the chunks, to the end of the stream."""
        message: PublishMessage | None = self._first_chunk
        while message is not None:
            if not isinstance(message, Chunk):
                raise StreamOrderInvalid("a header or a part of the manifest comes after the first chunk")
            yield message
            message = await self._next()

    async def _next(self) -> PublishMessage | None:
        try:
            async with asyncio.timeout(self._idle_seconds):
                return await anext(self._messages, None)
        except TimeoutError as error:
            raise DeadlineExceeded(self._idle_seconds) from error
