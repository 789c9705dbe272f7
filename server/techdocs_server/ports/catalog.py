"""Looking up catalog entities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from techdocs_server.domain.catalog_entity import CatalogEntity
from techdocs_server.domain.entity import EntityRef


class Catalog(Protocol):
    """The catalog of entities."""

    async def entity(self, ref: EntityRef) -> CatalogEntity:
        """Return an entity.

        Raises `EntityNotFound` only when the catalog answered and has none such;
        `CatalogUnavailable` when it cannot be read.
        """
        ...

    async def refs(self) -> Sequence[EntityRef]:
        """Return the entities that have a documentation source, in no order. Raises `CatalogUnavailable`."""
        ...
