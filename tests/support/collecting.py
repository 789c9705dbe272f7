"""A collector over any stores, and sites that are published to them as builds and CI do."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from techdocs_server.adapters.records.doom_wait import DoomWait
from techdocs_server.domain.change import Cause
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.site import SitePointer
from techdocs_server.ports.blob_leases import BlobLeases
from techdocs_server.ports.blobs import SweepableBlobStore
from techdocs_server.ports.dooming import BlobDooming
from techdocs_server.ports.records import SiteRecords
from techdocs_server.ports.retention import RevisionSweeping
from techdocs_server.ports.variants import VariantStore
from techdocs_server.services.collecting import Collected, Collector
from techdocs_server.services.committing import NewRevision, RevisionCommitter
from techdocs_server.services.lease_times import LEASE
from techdocs_server.services.reading import SiteReader
from techdocs_server.services.retention import Retention

from tests.support.stores import open_blob_store, open_records

WORLDS = ("memory+memory", "caching-filesystem+sqlite", "s3+postgresql")
QUICK = DoomWait(patience=20, abandoned=0.2, poll=0.02)
NO_RETENTION = Retention(10_000, timedelta(0))


class ShiftedClock:
    """The time of the machine, and some more: times that a store writes down are real."""

    def __init__(self) -> None:
        self.shift = timedelta()

    def now(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC) + self.shift


@dataclass
class World:
    """The stores. Tests put others in their place to stop a call."""

    blobs: SweepableBlobStore
    sites: SiteRecords
    leases: BlobLeases
    dooming: BlobDooming
    revisions: RevisionSweeping
    clock: ShiftedClock
    variants: VariantStore | None = None

    async def publish(self, entity: EntityRef, pages: Mapping[str, bytes]) -> str:
        """Publish pages as the current revision, and return it. Leases first, as every publisher does."""
        committer = RevisionCommitter(self.sites, self.blobs, self.leases, self.clock)
        files = {path: Digest.of(content) for path, content in pages.items()}
        expected: SitePointer | None = await self.sites.pointer(entity)
        draft = committer.draft(NewRevision(entity, files, "Docs", "", "source", "builds/1", expected))
        await committer.lease(draft, files.values())
        missing = await self.blobs.missing(files.values())
        opened = {files[path]: partial(io.BytesIO, content) for path, content in pages.items()}
        await self.blobs.put_files({digest: opened[digest] for digest in missing})
        published, _ = await committer.commit_draft(draft, cause=Cause())
        return published.revision

    async def collect(
        self, *, grace_seconds: float = 0, retention: Retention = NO_RETENTION, dry_run: bool = False
    ) -> Collected:
        """Collect once."""
        return await self.collector(grace_seconds=grace_seconds, retention=retention).collect(dry_run=dry_run)

    def collector(self, *, grace_seconds: float = 0, retention: Retention = NO_RETENTION) -> Collector:
        """Return a collector of these stores."""
        return Collector(
            sites=self.sites,
            revisions=self.revisions,
            dooming=self.dooming,
            manifests=self.blobs,
            blobs=self.blobs,
            variants=self.variants,
            clock=self.clock,
            retention=retention,
            grace=timedelta(seconds=grace_seconds),
        )

    def end_leases(self) -> None:
        """Let so much time pass that no lease holds any more."""
        self.clock.shift += LEASE + timedelta(seconds=1)

    async def stored(self) -> set[str]:
        """Return the SHA-256 of every blob."""
        return {blob.sha256 async for blob in self.blobs.stored()}

    async def pages(self, entity: EntityRef, revision: str = "") -> dict[str, bytes]:
        """Read a whole revision as readers do, but for its metadata file."""
        reader = SiteReader(self.sites, self.blobs)
        view = await reader.open_own(entity, revision)
        return {
            path: await reader.read_all(view, view.locate(path))
            for path in view.manifest.paths
            if path != "techdocs_metadata.json"
        }

    async def needed(self, entity: EntityRef, revision: str) -> set[str]:
        """Return the SHA-256 of the manifest and the files of a revision."""
        view = await SiteReader(self.sites, self.blobs).open_own(entity, revision)
        return {revision, *(digest.sha256 for digest in view.manifest.files.values())}


@asynccontextmanager
async def opened_world(kind: str, folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Open one of `WORLDS`, empty."""
    blobs, records = kind.split("+")
    s3 = request.getfixturevalue("s3_server") if blobs == "s3" else None
    postgresql = request.getfixturevalue("postgresql_server") if records == "postgresql" else None
    async with (
        open_blob_store(blobs, folder, s3) as store,
        open_records(records, folder, postgresql, wait=QUICK) as opened,
    ):
        yield World(store, opened.sites, opened.leases, opened.dooming, opened.sweeping, ShiftedClock())
