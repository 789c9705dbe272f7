"""Which sites a mirror looks at next: those that moved first, then those that are looked at in turn."""

from __future__ import annotations

import asyncio

from techdocs_server.domain.entity import EntityRef


class MirrorQueue:
    """Each site is in it once at most. Bounded by the number of sites."""

    def __init__(self) -> None:
        # Dictionaries, for they keep the order.
        self._moved: dict[EntityRef, None] = {}
        self._in_turn: dict[EntityRef, None] = {}
        self._filled = asyncio.Event()

    def add_moved(self, entity: EntityRef) -> None:
        """Put in a site whose pointer moved."""
        self._in_turn.pop(entity, None)
        self._moved[entity] = None
        self._filled.set()

    def add_in_turn(self, entity: EntityRef) -> None:
        """Put in a site that may be behind."""
        if entity not in self._moved:
            self._in_turn[entity] = None
            self._filled.set()

    async def take(self) -> EntityRef:
        """Wait for a site and take it out."""
        await self._filled.wait()
        queue = self._moved or self._in_turn
        entity = next(iter(queue))
        del queue[entity]
        if not self._moved and not self._in_turn:
            self._filled.clear()
        return entity
