"""A catalog that shows entities to some callers only."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from techdocs_server.adapters.catalog.memory import MemoryCatalog
from techdocs_server.domain.catalog_entity import CatalogEntity
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import EntityNotFound
from techdocs_server.domain.principal import Principal


class ViewedCatalog:
    """Shows an entity to the subjects it was put with. Counts the questions; none is answered until ``open`` is set."""

    def __init__(self) -> None:
        self._inner = MemoryCatalog()
        self._viewers: dict[EntityRef, frozenset[str]] = {}
        self.asked: list[tuple[EntityRef, str, str]] = []
        self.open = asyncio.Event()
        self.open.set()

    def put(self, ref: EntityRef, *subjects: str) -> None:
        """Add an entity that these subjects see, or change who sees it."""
        self._inner.put(
            CatalogEntity(
                ref=ref,
                document={},
                title="",
                description="",
                owner="",
                techdocs_ref="",
                source=None,
                source_problem="it has none",
            )
        )
        self._viewers[ref] = frozenset(subjects)

    def break_with(self, problem: str | None) -> None:
        """Make every look-up fail, or none."""
        self._inner.problem = problem

    async def entity(self, ref: EntityRef, *, viewer: Principal) -> CatalogEntity:
        """See `Catalog.entity`."""
        self.asked.append((ref, viewer.subject, viewer.actor))
        await self.open.wait()
        found = await self._inner.entity(ref, viewer=viewer)
        if viewer.subject not in self._viewers[ref]:
            raise EntityNotFound(str(ref))
        return found

    async def refs(self) -> Sequence[EntityRef]:
        """See `Catalog.refs`."""
        return await self._inner.refs()
