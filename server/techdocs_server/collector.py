"""What collects garbage, made from settings and stores."""

from __future__ import annotations

from datetime import timedelta

from techdocs_server.adapters.blobs.caching import CachingBlobStore
from techdocs_server.adapters.records.engine import SqlDatabase
from techdocs_server.adapters.records.sql_dooming import SqlBlobDooming
from techdocs_server.adapters.records.sql_revisions import SqlRevisionSweeping
from techdocs_server.ports.clock import Clock
from techdocs_server.ports.records import SiteRecords
from techdocs_server.ports.variants import VariantStore
from techdocs_server.services.collecting import Collector
from techdocs_server.services.retention import Retention
from techdocs_server.settings import Settings


def make_collector(
    settings: Settings,
    database: SqlDatabase,
    sites: SiteRecords,
    blobs: CachingBlobStore,
    variants: VariantStore | None,
    clock: Clock,
) -> Collector:
    """Return the collector of these stores."""
    return Collector(
        sites=sites,
        revisions=SqlRevisionSweeping(database),
        dooming=SqlBlobDooming(database),
        # Past the cache: manifests that nobody reads must not push out what is read often.
        manifests=blobs.inner,
        blobs=blobs,
        variants=variants,
        clock=clock,
        retention=Retention(settings.retention_revisions, timedelta(days=settings.retention_days)),
        grace=timedelta(seconds=settings.gc_grace_seconds),
    )
