"""Snapshots of sites to put into stores, and what is found of them."""

from __future__ import annotations

from collections.abc import Sequence

from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.site import Revision, SitePointer
from techdocs_server.domain.site_snapshot import SiteSnapshot, SnapshotKey
from techdocs_server.ports.site_snapshots import FoundSnapshot, SiteSnapshots

from tests.support.clocks import NOON
from tests.support.record_values import revision


def snapshot(
    of: EntityRef, version: int, change: int = 0, *, revisions: Sequence[Revision] | None = None
) -> SiteSnapshot:
    """Return a snapshot of a site that serves the first of the revisions."""
    made = tuple(revisions or (revision(of, "first"), revision(of, "second")))
    pointer = SitePointer(made[0].revision, version, f"source-{version}", made[0].manifest_bytes)
    return SiteSnapshot(of, SnapshotKey(version, change), pointer, NOON, NOON, made)


def deleted(of: EntityRef, version: int, change: int = 0) -> SiteSnapshot:
    """Return the snapshot of a site that is deleted."""
    return SiteSnapshot(of, SnapshotKey(version, change), None, None, None, ())


async def found(snapshots: SiteSnapshots) -> Sequence[FoundSnapshot]:
    """Return the newest snapshots of all sites."""
    return [each async for each in snapshots.newest()]


async def newest(snapshots: SiteSnapshots, of: EntityRef) -> SiteSnapshot | None:
    """Return the newest snapshot of one site."""
    return next((each.snapshot for each in await found(snapshots) if each.entity == of), None)
