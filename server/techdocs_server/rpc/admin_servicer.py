"""AdminService: messages in, `Collector` calls, messages out."""

from __future__ import annotations

from techdocs.v1 import admin_pb2, admin_pb2_grpc

from techdocs_server.rpc.interceptors.wrapping import Context
from techdocs_server.services.collecting import Collector


class AdminServicer(admin_pb2_grpc.AdminServiceServicer):
    """Upkeep."""

    def __init__(self, *, collector: Collector) -> None:
        self._collector = collector

    async def CollectGarbage(
        self, request: admin_pb2.CollectGarbageRequest, context: Context
    ) -> admin_pb2.CollectGarbageResponse:
        """See admin.proto."""
        done = await self._collector.collect(dry_run=request.dry_run)
        message = admin_pb2.Collection(
            dry_run=done.is_dry_run,
            kept_blobs=done.blobs.kept,
            kept_bytes=done.blobs.kept_bytes,
            deleted_blobs=done.blobs.deleted,
            deleted_bytes=done.blobs.deleted_bytes,
            deleted_revisions=done.deleted_revisions,
            forgotten_revisions=done.forgotten_revisions,
        )
        message.duration.FromMicroseconds(round(done.duration_seconds * 1e6))
        return admin_pb2.CollectGarbageResponse(collection=message)
