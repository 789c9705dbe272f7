"""``techdocs import``: the sites of a bucket that Backstage's own tools filled, brought over by hand."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from techdocs_server.adapters.clock import SystemClock
from techdocs_server.adapters.records.sql_leases import SqlBlobLeases
from techdocs_server.adapters.records.sql_sites import SqlSiteRecords
from techdocs_server.adapters.spools.local import LocalSpool
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import StorageUnavailable, TechDocsError
from techdocs_server.ports.classic import ClassicBucket
from techdocs_server.process import own_data_directory
from techdocs_server.services.committing import RevisionCommitter
from techdocs_server.services.reading import SiteReader
from techdocs_server.services.site_import import ImportedSite, ImportLimits, ImportOutcome, ImportRefused, SiteImporter
from techdocs_server.settings import Settings
from techdocs_server.start_failed import StartFailed
from techdocs_server.stores import open_classic, open_contents, open_database

Say = Callable[[str], None]
"""Takes one line for people."""

_MEGABYTE = 1_000_000
_FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What to import: no entities means all. ``concurrency`` is how many files are downloaded at a time."""

    entities: Sequence[EntityRef]
    dry_run: bool
    replace: bool
    concurrency: int


async def import_sites(settings: Settings, request: ImportRequest, *, say: Say) -> bool:
    """Import sites one after the other, with a line for each; return whether none failed.

    Uses the stores of the service, which must not run meanwhile. Raises `StartFailed` when they cannot be
    opened or the bucket cannot be listed. May be repeated: what was imported is skipped.
    """
    async with AsyncExitStack() as resources:
        bucket, importer = await _open(settings, request, resources)
        try:
            inventory = await bucket.inventory()
        except StorageUnavailable as error:
            raise StartFailed(f"backstage_bucket: {error.message}") from error
        if not request.entities:
            for name in inventory.unmanaged:
                say(f"unmanaged: {name}")
        outcomes = Counter[str]()
        for entity in request.entities or inventory.entities:
            outcomes[await _import_one(importer, entity, request, say)] += 1
        say("; ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())) or "nothing to import")
        return not outcomes[_FAILED]


async def _import_one(importer: SiteImporter, entity: EntityRef, request: ImportRequest, say: Say) -> str:
    try:
        done = await importer.import_site(entity, replace=request.replace, dry_run=request.dry_run)
    except (ImportRefused, TechDocsError) as error:
        say(f"{_FAILED}: {entity}: {error}")
        return _FAILED
    say(f"{done.outcome}: {entity}{_details(done)}")
    return done.outcome


def _details(done: ImportedSite) -> str:
    if done.outcome == ImportOutcome.SKIPPED:
        return ": it has a revision already; --replace imports it all the same"
    revision = f", revision {done.revision[:12]}" if done.revision else ""
    return f": {done.file_count} files, {done.size_bytes / _MEGABYTE:.1f} MB{revision}"


async def _open(
    settings: Settings, request: ImportRequest, resources: AsyncExitStack
) -> tuple[ClassicBucket, SiteImporter]:
    def own(close: Callable[[], Awaitable[object]]) -> None:
        resources.push_async_callback(close)

    folder = own_data_directory(settings.data_directory, resources)
    bucket = await open_classic(settings, own)
    if bucket is None:
        raise StartFailed("backstage_bucket: it must be set to the bucket to import from")
    try:
        blobs = (await open_contents(settings, folder, own)).blobs
        database = await open_database(settings, folder, own)
    except StorageUnavailable as error:
        raise StartFailed(f"data_directory: {error.message}") from error
    sites = SqlSiteRecords(database)
    spool = LocalSpool(Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="techdocs-import-"))))
    own(spool.close)
    return bucket, SiteImporter(
        bucket=bucket,
        sites=sites,
        blobs=blobs,
        reader=SiteReader(sites, blobs),
        committer=RevisionCommitter(sites, blobs, SqlBlobLeases(database), SystemClock()),
        spool=spool,
        limits=ImportLimits(settings.site_max_bytes, settings.site_max_files, request.concurrency),
    )
