"""A catalog in memory, for tests and for programs that know their entities."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from techdocs_server.domain.catalog_entity import CatalogEntity
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import CatalogUnavailable, EntityNotFound
from techdocs_server.domain.principal import Principal


class MemoryCatalog:
    """Holds the entities it was given.

    ``problem``, when set, makes every look-up raise `CatalogUnavailable` with it.
    """

    def __init__(self, entities: Iterable[CatalogEntity] = ()) -> None:
        self._entities = {entity.ref: entity for entity in entities}
        self.problem: str | None = None

    def put(self, entity: CatalogEntity) -> None:
        """Add an entity, or replace the one with its reference."""
        self._entities[entity.ref] = entity

    def remove(self, ref: EntityRef) -> None:
        """Forget an entity, if it is known."""
        self._entities.pop(ref, None)

    async def entity(self, ref: EntityRef, *, viewer: Principal) -> CatalogEntity:
        """See `Catalog.entity`."""
        if self.problem is not None:
            raise CatalogUnavailable(self.problem)
        try:
            return self._entities[ref]
        except KeyError:
            raise EntityNotFound(str(ref)) from None

    async def refs(self) -> Sequence[EntityRef]:
        """See `Catalog.refs`."""
        if self.problem is not None:
            raise CatalogUnavailable(self.problem)
        return [ref for ref, entity in self._entities.items() if entity.source is not None]
