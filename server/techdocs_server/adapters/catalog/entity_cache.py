"""Entities that a viewer was shown a moment ago."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import NamedTuple, TypeAlias

from techdocs_server.domain.catalog_entity import CatalogEntity
from techdocs_server.domain.entity import EntityRef

FRESH_SECONDS = 5.0
"""How long an entity is believed from when it was asked for: what a right that was taken away can still show."""
_MAX_BYTES = 64 * 1024 * 1024
_MAX_ENTITIES = 10_000

EntityKey: TypeAlias = tuple[EntityRef, tuple[str, str, str]]
"""An entity and `Principal.cache_key` of who was shown it."""


class _Kept(NamedTuple):
    """An entity, how large its document is, and when it was asked for (monotonic)."""

    entity: CatalogEntity
    size_bytes: int
    asked: float


class EntityCache:
    """Keeps entities for some seconds, within bounds of number and bytes; the ones kept longest leave first."""

    def __init__(
        self,
        *,
        fresh_seconds: float = FRESH_SECONDS,
        max_entities: int = _MAX_ENTITIES,
        max_bytes: int = _MAX_BYTES,
    ) -> None:
        self._fresh_seconds = fresh_seconds
        self._max_entities = max_entities
        self._max_bytes = max_bytes
        self._kept: OrderedDict[EntityKey, _Kept] = OrderedDict()
        self._bytes = 0

    def get(self, key: EntityKey) -> CatalogEntity | None:
        """Return an entity that is fresh, or None."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        if time.monotonic() - kept.asked >= self._fresh_seconds:
            self._drop(key)
            return None
        return kept.entity

    def keep(self, key: EntityKey, entity: CatalogEntity, *, size_bytes: int, asked: float) -> None:
        """Keep an entity that was asked for at a (monotonic) time."""
        self._drop(key)
        self._kept[key] = _Kept(entity, size_bytes, asked)
        self._bytes += size_bytes
        while self._kept and (self._bytes > self._max_bytes or len(self._kept) > self._max_entities):
            self._drop(next(iter(self._kept)))

    def _drop(self, key: EntityKey) -> None:
        if (kept := self._kept.pop(key, None)) is not None:
            self._bytes -= kept.size_bytes
