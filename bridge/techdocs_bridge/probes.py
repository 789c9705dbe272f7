"""Whether the bridge is alive, and whether it can do its work."""

from __future__ import annotations

import asyncio
import time

from techdocs_bridge.client import ServerClient

_CACHE_SECONDS = 1.0
_CHECK_SECONDS = 2.0


class Readiness:
    """Says whether requests should be sent here. However many probes ask, the server is asked once a second."""

    def __init__(self, client: ServerClient, draining: asyncio.Event) -> None:
        self._client = client
        self._draining = draining
        self._asking = asyncio.Lock()
        self._known_until = 0.0
        self._serving = False

    async def ready(self) -> bool:
        """Return whether the server says of itself that it serves, and the bridge is not shutting down."""
        if self._draining.is_set():
            return False
        async with self._asking:
            if time.monotonic() >= self._known_until:
                self._serving = await self._client.serving(within_seconds=_CHECK_SECONDS)
                self._known_until = time.monotonic() + _CACHE_SECONDS
        return self._serving
