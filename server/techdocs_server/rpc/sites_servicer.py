"""SiteService: messages in, `SiteLife` and `Listings` calls, messages out."""

from __future__ import annotations

from collections.abc import AsyncIterator

from techdocs.v1 import sites_pb2, sites_pb2_grpc

from techdocs_server.rpc.convert import entity_ref, page_request, revision_message, site_message
from techdocs_server.rpc.convert_changes import change_message
from techdocs_server.rpc.interceptors.wrapping import Context
from techdocs_server.services.listing import Listings
from techdocs_server.services.site_changes import SiteChanges, SiteFilter
from techdocs_server.services.site_life import SiteLife


class SitesServicer(sites_pb2_grpc.SiteServiceServicer):
    """Life of published sites."""

    def __init__(self, *, life: SiteLife, listings: Listings, changes: SiteChanges) -> None:
        self._life = life
        self._listings = listings
        self._changes = changes

    async def GetSite(self, request: sites_pb2.GetSiteRequest, context: Context) -> sites_pb2.GetSiteResponse:
        """See sites.proto."""
        site, active = await self._life.site(entity_ref(request.entity))
        return sites_pb2.GetSiteResponse(site=site_message(site, active))

    async def ListSites(self, request: sites_pb2.ListSitesRequest, context: Context) -> sites_pb2.ListSitesResponse:
        """See sites.proto."""
        page = await self._listings.sites(
            namespace=request.namespace,
            kind=request.kind,
            page=page_request(size=request.page_size, token=request.page_token, default=50, most=500),
        )
        return sites_pb2.ListSitesResponse(
            sites=[site_message(site, active) for site, active in page.items], next_page_token=page.next_token
        )

    async def DeleteSite(self, request: sites_pb2.DeleteSiteRequest, context: Context) -> sites_pb2.DeleteSiteResponse:
        """See sites.proto."""
        await self._life.delete(
            entity_ref(request.entity), etag=request.etag, allow_missing=request.allow_missing, force=request.force
        )
        return sites_pb2.DeleteSiteResponse()

    async def ListRevisions(
        self, request: sites_pb2.ListRevisionsRequest, context: Context
    ) -> sites_pb2.ListRevisionsResponse:
        """See sites.proto."""
        pointer, page = await self._listings.revisions(
            entity_ref(request.entity),
            page_request(size=request.page_size, token=request.page_token, default=50, most=500),
        )
        return sites_pb2.ListRevisionsResponse(
            revisions=[revision_message(revision, pointer) for revision in page.items],
            next_page_token=page.next_token,
        )

    async def GetRevision(
        self, request: sites_pb2.GetRevisionRequest, context: Context
    ) -> sites_pb2.GetRevisionResponse:
        """See sites.proto."""
        revision, pointer = await self._life.revision(entity_ref(request.entity), request.revision)
        return sites_pb2.GetRevisionResponse(revision=revision_message(revision, pointer))

    async def RollbackSite(
        self, request: sites_pb2.RollbackSiteRequest, context: Context
    ) -> sites_pb2.RollbackSiteResponse:
        """See sites.proto."""
        site, active = await self._life.roll_back(entity_ref(request.entity), request.revision, etag=request.etag)
        return sites_pb2.RollbackSiteResponse(site=site_message(site, active))

    async def DeleteRevision(
        self, request: sites_pb2.DeleteRevisionRequest, context: Context
    ) -> sites_pb2.DeleteRevisionResponse:
        """See sites.proto."""
        await self._life.delete_revision(entity_ref(request.entity), request.revision, etag=request.etag)
        return sites_pb2.DeleteRevisionResponse()

    async def PinRevision(
        self, request: sites_pb2.PinRevisionRequest, context: Context
    ) -> sites_pb2.PinRevisionResponse:
        """See sites.proto."""
        revision, pointer = await self._life.pin_revision(entity_ref(request.entity), request.revision, pinned=True)
        return sites_pb2.PinRevisionResponse(revision=revision_message(revision, pointer))

    async def UnpinRevision(
        self, request: sites_pb2.UnpinRevisionRequest, context: Context
    ) -> sites_pb2.UnpinRevisionResponse:
        """See sites.proto."""
        revision, pointer = await self._life.pin_revision(entity_ref(request.entity), request.revision, pinned=False)
        return sites_pb2.UnpinRevisionResponse(revision=revision_message(revision, pointer))

    async def ListSiteChanges(
        self, request: sites_pb2.ListSiteChangesRequest, context: Context
    ) -> sites_pb2.ListSiteChangesResponse:
        """See sites.proto."""
        page = await self._listings.changes(
            entity=entity_ref(request.entity) if request.HasField("entity") else None,
            page=page_request(size=request.page_size, token=request.page_token, default=50, most=500),
        )
        return sites_pb2.ListSiteChangesResponse(
            changes=[change_message(change) for change in page.items], next_page_token=page.next_token
        )

    async def WatchSites(
        self, request: sites_pb2.WatchSitesRequest, context: Context
    ) -> AsyncIterator[sites_pb2.WatchSitesResponse]:
        """See sites.proto."""
        async for item in self._changes.watch(
            after_sequence=request.after_sequence if request.HasField("after_sequence") else None,
            only=SiteFilter(request.namespace, request.kind, request.name),
        ):
            if isinstance(item, int):
                yield sites_pb2.WatchSitesResponse(sequence=item)
            else:
                yield sites_pb2.WatchSitesResponse(change=change_message(item), sequence=item.sequence)
