"""BuildService: messages in, `SiteSyncer` and `BuildStarter` calls, messages out."""

from __future__ import annotations

from collections.abc import AsyncIterator

from techdocs.v1 import builds_pb2, builds_pb2_grpc

from techdocs_server.rpc.convert import (
    build_id,
    build_message,
    build_states,
    entity_ref,
    event_message,
    page_request,
)
from techdocs_server.rpc.interceptors.wrapping import Context
from techdocs_server.rpc.principal import current_principal
from techdocs_server.services.build_events import BuildEvents
from techdocs_server.services.listing import Listings
from techdocs_server.services.starting import BuildStarter
from techdocs_server.services.syncing import SiteSyncer, SyncEvent, SyncWish


def _wish(request: builds_pb2.SyncSiteRequest | builds_pb2.StreamSyncRequest) -> SyncWish:
    return SyncWish(current_principal(), force=request.force, max_check_age=request.max_check_age.ToTimedelta())


class BuildsServicer(builds_pb2_grpc.BuildServiceServicer):
    """Making sites current."""

    def __init__(self, *, syncer: SiteSyncer, starter: BuildStarter, events: BuildEvents, listings: Listings) -> None:
        self._syncer = syncer
        self._starter = starter
        self._events = events
        self._listings = listings

    async def SyncSite(self, request: builds_pb2.SyncSiteRequest, context: Context) -> builds_pb2.SyncSiteResponse:
        """See builds.proto."""
        entity = entity_ref(request.entity)
        result = await self._syncer.sync(entity, _wish(request))
        done = "was built and is now current" if result.updated else "is up to date"
        return builds_pb2.SyncSiteResponse(
            message=f"The documentation of {entity} {done}.",
            updated=result.updated,
            revision=result.revision,
            build=result.build,
        )

    async def StreamSync(
        self, request: builds_pb2.StreamSyncRequest, context: Context
    ) -> AsyncIterator[builds_pb2.StreamSyncResponse]:
        """See builds.proto."""
        resume = (build_id(request.build), request.after_sequence) if request.build else None
        async for item in self._syncer.stream(entity_ref(request.entity), _wish(request), resume=resume):
            if item is None:
                yield builds_pb2.StreamSyncResponse(heartbeat=builds_pb2.Heartbeat())
            elif isinstance(item, SyncEvent):
                yield builds_pb2.StreamSyncResponse(build=item.build, event=event_message(item.event))
            else:
                result = builds_pb2.SyncResult(updated=item.updated, revision=item.revision)
                yield builds_pb2.StreamSyncResponse(build=item.build, result=result)

    async def CreateBuild(
        self, request: builds_pb2.CreateBuildRequest, context: Context
    ) -> builds_pb2.CreateBuildResponse:
        """See builds.proto."""
        build = await self._starter.create(
            entity_ref(request.entity),
            viewer=current_principal(),
            force=request.force,
            request_id=request.request_id or None,
        )
        return builds_pb2.CreateBuildResponse(build=build_message(build))

    async def GetBuild(self, request: builds_pb2.GetBuildRequest, context: Context) -> builds_pb2.GetBuildResponse:
        """See builds.proto."""
        build = await self._starter.build(build_id(request.name))
        return builds_pb2.GetBuildResponse(build=build_message(build))

    async def ListBuilds(
        self, request: builds_pb2.ListBuildsRequest, context: Context
    ) -> builds_pb2.ListBuildsResponse:
        """See builds.proto."""
        page = await self._listings.builds(
            entity=entity_ref(request.entity) if request.HasField("entity") else None,
            states=build_states(request.states),
            page=page_request(size=request.page_size, token=request.page_token, default=50, most=500),
        )
        return builds_pb2.ListBuildsResponse(
            builds=[build_message(build) for build in page.items], next_page_token=page.next_token
        )

    async def CancelBuild(
        self, request: builds_pb2.CancelBuildRequest, context: Context
    ) -> builds_pb2.CancelBuildResponse:
        """See builds.proto."""
        build = await self._starter.cancel(build_id(request.name))
        return builds_pb2.CancelBuildResponse(build=build_message(build))

    async def WatchBuild(
        self, request: builds_pb2.WatchBuildRequest, context: Context
    ) -> AsyncIterator[builds_pb2.WatchBuildResponse]:
        """See builds.proto."""
        async for event in self._events.watch(build_id(request.name), after_sequence=request.after_sequence):
            if event is None:
                yield builds_pb2.WatchBuildResponse(heartbeat=builds_pb2.Heartbeat())
            else:
                yield builds_pb2.WatchBuildResponse(event=event_message(event))
