"""What a server does with a bucket of Backstage's own tools: reads through to it, and mirrors into it."""

from __future__ import annotations

from pathlib import Path

from techdocs_server.adapters.clock import SystemClock
from techdocs_server.adapters.spools.local import LocalSpool, emptied
from techdocs_server.ports.blobs import BlobStore
from techdocs_server.ports.classic import ClassicBucket
from techdocs_server.ports.records import SiteRecords
from techdocs_server.services.mirror_upload import MirrorUploader
from techdocs_server.services.mirroring import Mirror
from techdocs_server.services.reading import SiteReader
from techdocs_server.settings import Settings
from techdocs_server.stores import Own, open_classic_writer


def make_mirror(
    settings: Settings, bucket: ClassicBucket | None, sites: SiteRecords, blobs: BlobStore, folder: Path, own: Own
) -> Mirror | None:
    """Return what mirrors sites into the bucket, if that is wanted.

    ``blobs`` should be a store without a cache: what is written once must not push out
    what is read often. Raises `StartFailed` and `StorageUnavailable`.
    """
    if bucket is None or not settings.mirror_classic:
        return None
    writer = open_classic_writer(settings, own)
    spool = LocalSpool(emptied(folder / "spool"))
    own(spool.close)
    return Mirror(
        sites=sites,
        reader=SiteReader(sites, blobs, cached_files=0),
        bucket=bucket,
        writer=writer,
        uploader=MirrorUploader(blobs, writer, spool),
        clock=SystemClock(),
        grace_seconds=settings.mirror_removal_grace_seconds,
    )
