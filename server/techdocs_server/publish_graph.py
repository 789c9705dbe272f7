"""The part of the object graph that accepts sites from outside."""

from __future__ import annotations

from datetime import timedelta

from techdocs_server.adapters.records.engine import SqlDatabase
from techdocs_server.adapters.records.sql_leases import SqlBlobLeases
from techdocs_server.adapters.records.sql_publish_requests import SqlPublishRequests
from techdocs_server.domain.publish import PublishLimits
from techdocs_server.ports.blobs import BlobStore
from techdocs_server.ports.clock import Clock
from techdocs_server.ports.records import SiteRecords
from techdocs_server.rpc.publish_servicer import PublishServicer
from techdocs_server.services.accepting import SiteAcceptor
from techdocs_server.services.compressing import Variants
from techdocs_server.services.lease_times import LEASE
from techdocs_server.services.presence import BlobPresence
from techdocs_server.services.reading import SiteReader
from techdocs_server.settings import Settings


def make_publish_servicer(
    settings: Settings,
    *,
    database: SqlDatabase,
    sites: SiteRecords,
    blobs: BlobStore,
    reader: SiteReader,
    clock: Clock,
    variants: Variants | None,
) -> PublishServicer:
    """Return the servicer of PublishService; it refuses every call where publishing is not enabled."""
    leases = SqlBlobLeases(database)
    presence = BlobPresence(
        sites=sites,
        blobs=blobs,
        leases=leases,
        reader=reader,
        clock=clock,
        # No shorter than a collector takes for granted, however early contents may be sent again.
        grace=max(timedelta(seconds=settings.publish_blob_grace_seconds), LEASE),
    )
    acceptor = SiteAcceptor(
        sites=sites,
        blobs=blobs,
        reader=reader,
        presence=presence,
        leases=leases,
        requests=SqlPublishRequests(database),
        clock=clock,
        limits=PublishLimits(max_bytes=settings.site_max_bytes, max_files=settings.site_max_files),
        variants=variants,
    )
    return PublishServicer(acceptor=acceptor, presence=presence, enabled=settings.publish_enabled)
