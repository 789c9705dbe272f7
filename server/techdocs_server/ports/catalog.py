"""Looking up catalog entities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from techdocs_server.domain.catalog_entity import CatalogEntity
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.principal import Principal


class Catalog(Protocol):
    """The catalog of entities."""

    async def entity(self, ref: EntityRef, *, viewer: Principal) -> CatalogEntity:
        """Return an entity as ``viewer`` sees it; `INTERNAL` sees what this service itself may see.

        Raises `EntityNotFound` only when the catalog answered and has none such, or
        hides it from the viewer: the two are told alike. Raises `CatalogUnavailable`
        when it cannot be read.
        """
        ...

    async def refs(self) -> Sequence[EntityRef]:
        """Return the entities that name a documentation source, as this service sees them, in no order. Raises `CatalogUnavailable`."""
        ...
