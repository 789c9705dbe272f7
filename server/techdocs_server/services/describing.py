"""What a build says of a site, and what the catalog says of an entity."""

from __future__ import annotations

from techdocs_server.domain.catalog_entity import CatalogEntity
from techdocs_server.domain.classic_errors import ContentReplaced
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import ContentCorrupt
from techdocs_server.domain.principal import Principal
from techdocs_server.domain.site_metadata import METADATA_PATH, SiteMetadata
from techdocs_server.domain.sync_errors import NoDocsSource
from techdocs_server.ports.catalog import Catalog
from techdocs_server.services.classic_metadata import classic_metadata
from techdocs_server.services.classic_sites import ClassicView
from techdocs_server.services.reading import AnyView, SiteReader


class SiteDescriber:
    """Answers the two metadata questions.

    With ``checks_entities`` a site is described only to those whom the catalog shows its
    entity, as Backstage does it (techdocs-backend, router). A catalog of files hides
    nothing, and a site may outlive its file there, so it is not asked.
    """

    def __init__(self, reader: SiteReader, catalog: Catalog, *, checks_entities: bool = False) -> None:
        self._reader = reader
        self._catalog = catalog
        self._checks_entities = checks_entities

    @property
    def checks_entities(self) -> bool:
        """Whether the catalog decides who is told of a site."""
        return self._checks_entities

    async def site(self, entity: EntityRef, revision: str = "", *, viewer: Principal) -> tuple[SiteMetadata, AnyView]:
        """Return the site's metadata and the revision they are of.

        A classic site need not have a metadata file, nor need the file say everything:
        the listing of its files then says what it can. Raises what `SiteReader.open`
        does, `ContentNotFound` for a revision without a metadata file, and where entities
        are checked `EntityNotFound` and `CatalogUnavailable`.
        """
        if self._checks_entities:
            await self._catalog.entity(entity, viewer=viewer)
        view = await self._reader.open(entity, revision)
        try:
            metadata = await self._metadata(view)
        except ContentReplaced:
            view = await self._reader.open(entity, revision)
            metadata = await self._metadata(view)
        return metadata, view

    async def _metadata(self, view: AnyView) -> SiteMetadata:
        if isinstance(view, ClassicView):
            return await classic_metadata(view, lambda content: self._reader.read_all(view, content))
        content = await self._reader.read_all(view, view.locate(METADATA_PATH))
        try:
            return SiteMetadata.parse(content)
        except ValueError as error:
            raise ContentCorrupt(str(view.entity), METADATA_PATH) from error

    async def entity(self, entity: EntityRef, *, viewer: Principal) -> CatalogEntity:
        """Return the catalog entity as ``viewer`` sees it.

        Raises `EntityNotFound`, `CatalogUnavailable`, and `NoDocsSource` for an entity that names
        no documentation: there is nothing to say where it is from (techdocs-backend, router). One that
        only this server cannot build is returned.
        """
        found = await self._catalog.entity(entity, viewer=viewer)
        if found.known_problem is not None:
            raise NoDocsSource(str(entity), found.source_problem, details=found.known_problem.metadata)
        return found
