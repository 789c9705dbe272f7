"""The parts of the cache, put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

from techdocs_bridge.client import ServerClient
from techdocs_bridge.page_cache.access_decisions import AccessDecisions
from techdocs_bridge.page_cache.answer_store import AnswerStore
from techdocs_bridge.page_cache.currency import SiteCurrency
from techdocs_bridge.page_cache.follower import SiteFollower
from techdocs_bridge.page_cache.observer import SiteCallObserver
from techdocs_bridge.settings import BridgeSettings


@dataclass(frozen=True, slots=True)
class SiteMemory:
    """What one bridge remembers of sites and callers, and who tells it."""

    store: AnswerStore
    currency: SiteCurrency
    decisions: AccessDecisions
    observer: SiteCallObserver

    @classmethod
    def of(cls, settings: BridgeSettings) -> Self:
        """Return an empty one. It keeps nothing until the stream of changes is heard."""
        store = AnswerStore(settings.cache_bytes)
        currency = SiteCurrency(store, settle_seconds=settings.cache_settle_seconds)
        decisions = AccessDecisions()
        return cls(store, currency, decisions, SiteCallObserver(currency, decisions))


@asynccontextmanager
async def following(client: ServerClient, memory: SiteMemory | None, settings: BridgeSettings) -> AsyncIterator[None]:
    """Follow what changes sites as long as the context lasts; nothing without a memory."""
    if memory is None:
        yield
        return
    authorization = f"Bearer {settings.token}" if settings.token else ""
    task = asyncio.create_task(SiteFollower(client, memory.currency, memory.decisions, authorization).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
