"""Keeping every site current without anybody asking."""

from __future__ import annotations

import asyncio
import logging
import random

from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import BuildQueueFull, NotFound, TechDocsError
from techdocs_server.services.sources import Sources
from techdocs_server.services.syncing import SiteSyncer

_log = logging.getLogger(__name__)

# While the queue is full, builds that readers wait for go first anyway: come back a little later.
_QUEUE_FULL_SECONDS = 10.0


class Refresher:
    """Looks at every entity once per interval, spread over it, and queues a build where the source changed."""

    def __init__(self, *, sources: Sources, syncer: SiteSyncer, interval_seconds: float) -> None:
        self._sources = sources
        self._syncer = syncer
        self._interval = interval_seconds

    async def run(self) -> None:
        """Refresh until cancelled. An entity that cannot be looked at is logged and tried again next time."""
        while True:
            try:
                refs = list(await self._sources.refs())
            except TechDocsError as error:
                _log.warning("refresh_failed", extra={"problem": error.message})
                refs = []
            # Another order each time, and jitter: replicas and restarts must not ask one git host at one moment.
            random.shuffle(refs)
            pause = self._interval / (len(refs) + 1)
            for ref in refs:
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - spreads load, guards nothing
                await self._refresh(ref)
            await asyncio.sleep(pause)

    async def _refresh(self, ref: EntityRef) -> None:
        while True:
            try:
                await self._syncer.refresh(ref)
            except BuildQueueFull:
                await asyncio.sleep(_QUEUE_FULL_SECONDS)
                continue
            except NotFound:
                return  # it left the catalog since it was listed
            except TechDocsError as error:
                _log.warning("refresh_failed", extra={"entity": str(ref), "problem": error.message})
            return
