"""Where an entity is built from, and the etag of all that decides its site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from techdocs_server.domain.catalog_entity import CatalogEntity, SourceRef
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import EntityWithoutUID, NoDocsSource
from techdocs_server.domain.principal import Principal
from techdocs_server.domain.source_etag import source_etag
from techdocs_server.ports.catalog import Catalog
from techdocs_server.ports.generator import SiteGenerator
from techdocs_server.ports.sources import PreparedSource, SourcePreparer


@dataclass(frozen=True, slots=True)
class EntitySource:
    """A source, and the owner of its entity, empty for none."""

    source: SourceRef
    owner: str


class Sources:
    """Finds the source of an entity and tells its etag."""

    def __init__(self, catalog: Catalog, preparer: SourcePreparer, generator: SiteGenerator) -> None:
        self._catalog = catalog
        self._preparer = preparer
        self._generator = generator

    async def refs(self) -> Sequence[EntityRef]:
        """Return the entities that have a source. Raises `CatalogUnavailable`."""
        return await self._catalog.refs()

    async def find(self, entity: EntityRef, *, viewer: Principal) -> EntitySource:
        """Return the source of an entity as ``viewer`` sees it. Raises `EntityNotFound`, `NoDocsSource`, `CatalogUnavailable`."""
        return source_of(await self._catalog.entity(entity, viewer=viewer))

    async def etag(self, source: SourceRef) -> str:
        """Return the etag of a source as it is now. Raises as `SourcePreparer.etag` does."""
        return self._of_tree(source, await self._preparer.etag(source))

    async def prepare(self, source: SourceRef, *, into: Path) -> tuple[str, PreparedSource]:
        """Copy a source; return the etag of all that decides the site, and the copy. Raises as the preparer does."""
        prepared = await self._preparer.prepare(source, into=into)
        return self._of_tree(source, prepared.etag), prepared

    async def entity(self, entity: EntityRef, *, viewer: Principal) -> CatalogEntity:
        """Return what the catalog says of an entity, whether it has a source or not.

        Raises `EntityNotFound`, also (as `EntityWithoutUID`) when the catalog gives it no id, and `CatalogUnavailable`.
        """
        found = await self._catalog.entity(entity, viewer=viewer)
        if not found.uid:
            raise EntityWithoutUID(str(entity))
        return found

    def _of_tree(self, source: SourceRef, tree: str) -> str:
        return source_etag(tree=tree, site_name=source.site_name, generator=self._generator.versions)


def source_of(entity: CatalogEntity) -> EntitySource:
    """Return where an entity is built from. Raises `NoDocsSource`."""
    if entity.source is None:
        known = entity.known_problem
        raise NoDocsSource(str(entity.ref), entity.source_problem, details=known.metadata if known else None)
    return EntitySource(entity.source, entity.owner)
