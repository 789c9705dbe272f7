"""What a build says of a site, and what the catalog says of an entity."""

from __future__ import annotations

from techdocs_server.domain.catalog_entity import CatalogEntity
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import ContentCorrupt
from techdocs_server.domain.site_metadata import METADATA_PATH, SiteMetadata
from techdocs_server.ports.catalog import Catalog
from techdocs_server.services.reading import SiteReader, SiteView


class SiteDescriber:
    """Answers the two metadata questions."""

    def __init__(self, reader: SiteReader, catalog: Catalog) -> None:
        self._reader = reader
        self._catalog = catalog

    async def site(self, entity: EntityRef, revision: str = "") -> tuple[SiteMetadata, SiteView]:
        """Return the site's metadata and the revision they are of.

        Raises what `SiteReader.open` does, and `ContentNotFound` for a revision
        without a metadata file.
        """
        view = await self._reader.open(entity, revision)
        content = await self._reader.read_all(view, view.locate(METADATA_PATH))
        try:
            return SiteMetadata.parse(content), view
        except ValueError as error:
            raise ContentCorrupt(str(entity), METADATA_PATH) from error

    async def entity(self, entity: EntityRef) -> CatalogEntity:
        """Return the catalog entity. Raises `EntityNotFound` and `CatalogUnavailable`."""
        return await self._catalog.entity(entity)
