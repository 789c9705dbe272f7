"""Records that are lost are made again from the store of contents, over every pair of stores."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from techdocs_server.adapters.clock import SystemClock
from techdocs_server.adapters.records.engine import SqlDatabase
from techdocs_server.adapters.records.sql_dooming import SqlBlobDooming
from techdocs_server.adapters.records.sql_leases import SqlBlobLeases
from techdocs_server.adapters.records.sql_revisions import SqlRevisionSweeping
from techdocs_server.adapters.records.sql_saved_sites import SqlSavedSites
from techdocs_server.adapters.records.sql_sites import SqlSiteRecords
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.site import Revision, Site
from techdocs_server.ports.blobs import SweepableBlobStore
from techdocs_server.ports.site_snapshots import SiteSnapshots
from techdocs_server.services.restoring import VERSIONS_AHEAD, Outcome, RestoredSite, SiteRestorer
from techdocs_server.services.snapshotting import Snapshotter

from tests.support.collecting import ShiftedClock, World
from tests.support.record_values import entity
from tests.support.stores import open_blob_store, open_database, open_site_snapshots

KEPT, ROLLED_BACK, GONE = entity("kept"), entity("rolled-back"), entity("gone")


@dataclass
class Service:
    """A world of stores whose records can be lost."""

    world: World
    blobs: SweepableBlobStore
    snapshots: SiteSnapshots
    saved: SqlSavedSites
    lose: Callable[[], Awaitable[None]]

    async def save(self) -> int:
        """Save every site that is behind."""
        return await Snapshotter(self.saved, self.snapshots).save_all()

    async def restore(self, *, dry_run: bool = False, checks_files: bool = True) -> dict[str, RestoredSite]:
        """Restore what is missing; return what became of each site, by its name."""
        restorer = SiteRestorer(self.saved, self.snapshots, self.blobs, SystemClock(), checks_files=checks_files)
        return {site.entity.name: site async for site in restorer.restore(dry_run=dry_run)}

    async def site(self, of: EntityRef) -> tuple[Site | None, list[Revision]]:
        """Return all that the records say of a site."""
        return await self.world.sites.site(of), list(await self.world.sites.revisions(of, after=None, limit=99))

    async def delete(self, *sha256s: str) -> None:
        """Damage the store."""
        await self.blobs.delete(sha256s)


@pytest.fixture(params=["filesystem+sqlite", "s3+postgresql"])
async def service(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Service]:
    contents, records = request.param.split("+")
    s3 = request.getfixturevalue("s3_server") if contents == "s3" else None
    postgresql = request.getfixturevalue("postgresql_server") if records == "postgresql" else None
    async with AsyncExitStack() as stack:
        blobs = await stack.enter_async_context(open_blob_store(contents, tmp_path, s3))
        snapshots = await stack.enter_async_context(open_site_snapshots(contents, tmp_path, s3))

        async def new_database() -> SqlDatabase:
            folder = tmp_path / f"records-{datetime.now(UTC).timestamp()}"
            folder.mkdir()
            return await stack.enter_async_context(open_database(folder, postgresql))

        def world_of(database: SqlDatabase) -> World:
            return World(
                blobs,
                SqlSiteRecords(database),
                SqlBlobLeases(database),
                SqlBlobDooming(database),
                SqlRevisionSweeping(database),
                ShiftedClock(),
            )

        async def lose() -> None:
            database = await new_database()
            made.world, made.saved = world_of(database), SqlSavedSites(database)

        database = await new_database()
        made = Service(world_of(database), blobs, snapshots, SqlSavedSites(database), lose)
        yield made


async def three_sites(service: Service) -> None:
    """Publish a site of three revisions with one pinned, one that is rolled back, and one that is deleted."""
    world = service.world
    for number in range(3):
        await world.publish(KEPT, {"index.html": b"kept %d" % number, "same.css": b"the same"})
    oldest = (await world.sites.revisions(KEPT, after=None, limit=9))[-1]
    await world.sites.pin_revision(KEPT, oldest.revision, pinned=True, now=world.clock.now())
    first = await world.publish(ROLLED_BACK, {"index.html": b"first"})
    await world.publish(ROLLED_BACK, {"index.html": b"second"})
    await service.save()
    pointer = await world.sites.pointer(ROLLED_BACK)
    assert pointer is not None
    await world.sites.move_pointer(
        ROLLED_BACK, to=first, source_etag="of the second", expected=pointer, now=world.clock.now()
    )
    await world.publish(GONE, {"index.html": b"gone"})
    await service.save()
    pointer = await world.sites.pointer(GONE)
    assert pointer is not None
    await world.sites.delete_site(GONE, expected=pointer, now=world.clock.now())
    await service.save()


def same_but_for_its_version(before: Site | None, after: Site | None) -> bool:
    """Whether a restored site is the one that was lost, with a version that no client can know."""
    assert before is not None
    assert after is not None
    assert after.pointer.version == before.pointer.version + VERSIONS_AHEAD
    facts = [
        (site.pointer.revision, site.pointer.source_etag, site.title, site.create_time, site.update_time)
        for site in (before, after)
    ]
    return facts[0] == facts[1]


async def test_lost_records_come_back_with_pointers_pins_and_deletions(service: Service) -> None:
    await three_sites(service)
    lost = {of: await service.site(of) for of in (KEPT, ROLLED_BACK, GONE)}
    pages = {of: await service.world.pages(of) for of in (KEPT, ROLLED_BACK)}
    assert pages[ROLLED_BACK] == {"index.html": b"first"}
    assert await service.save() == 0

    await service.lose()
    planned = await service.restore(dry_run=True)
    assert not await service.saved.has_sites()
    done = await service.restore()
    assert done == planned
    assert {name: site.outcome for name, site in done.items()} == {
        "gone": Outcome.DELETED,
        "kept": Outcome.RESTORED,
        "rolled-back": Outcome.RESTORED,
    }
    for of in (KEPT, ROLLED_BACK):
        site, revisions = await service.site(of)
        assert same_but_for_its_version(lost[of][0], site)
        assert revisions == lost[of][1]
        assert await service.world.pages(of) == pages[of]
    assert await service.site(GONE) == (None, [])

    # Nothing that is live is garbage, pinned and rolled away revisions included.
    service.world.end_leases()
    await service.world.collect()
    for of in (KEPT, ROLLED_BACK):
        for revision in lost[of][1]:
            assert await service.world.pages(of, revision.revision)

    # The restored records can be lost too, and a publish goes on from them.
    assert await service.save() == 3
    await service.world.publish(GONE, {"index.html": b"back"})
    pointer = await service.world.sites.pointer(GONE)
    assert pointer is not None
    assert pointer.version > VERSIONS_AHEAD
    await service.save()
    await service.lose()
    assert (await service.restore())["gone"].outcome is Outcome.RESTORED
    assert await service.world.pages(GONE) == {"index.html": b"back"}


async def test_only_sites_that_are_missing_are_added(service: Service) -> None:
    await three_sites(service)
    await service.lose()
    await service.world.publish(KEPT, {"index.html": b"built again"})
    done = await service.restore()
    assert done["kept"].outcome is Outcome.KNOWN
    assert done["rolled-back"].outcome is Outcome.RESTORED
    assert await service.world.pages(KEPT) == {"index.html": b"built again"}
    assert {site.outcome for site in (await service.restore()).values()} == {Outcome.KNOWN}


@pytest.mark.parametrize("lacks", ["manifest", "file"])
async def test_revision_that_is_not_whole_is_left_out(service: Service, lacks: str) -> None:
    await three_sites(service)
    old = (await service.world.sites.revisions(KEPT, after=None, limit=9))[1].revision
    own = await service.world.needed(KEPT, old) - await needed_by_others(service, KEPT, old) - {old}
    file = min(own)
    await service.delete(old if lacks == "manifest" else file)
    await service.lose()
    if lacks == "file":
        assert not (await service.restore(dry_run=True, checks_files=False))["kept"].problems
    done = (await service.restore())["kept"]
    assert (done.outcome, done.revision_count, len(done.problems)) == (Outcome.RESTORED, 2, 1)
    assert old in done.problems[0]
    assert await service.world.sites.revision(KEPT, old) is None
    assert (await service.world.pages(KEPT))["index.html"] == b"kept 2"


async def test_site_whose_current_revision_is_not_whole_waits_to_be_mended(service: Service) -> None:
    await three_sites(service)
    manifest = await manifest_of(service, ROLLED_BACK)
    content = b"".join([chunk async for chunk in service.blobs.get(manifest)])
    await service.delete(manifest.sha256)
    await service.lose()
    done = (await service.restore())["rolled-back"]
    assert done.outcome is Outcome.FAILED
    assert await service.world.sites.pointer(ROLLED_BACK) is None
    assert await service.save() == 2, "a site that is not recovered yet is not saved as deleted"

    async def mended() -> AsyncIterator[bytes]:
        yield content

    await service.blobs.put(manifest, mended())
    assert (await service.restore())["rolled-back"].outcome is Outcome.RESTORED
    assert await service.world.pages(ROLLED_BACK) == {"index.html": b"first"}


async def test_site_that_was_not_recovered_has_no_etag_from_before_when_it_is_built_again(service: Service) -> None:
    await three_sites(service)
    site, _ = await service.site(ROLLED_BACK)
    assert site is not None
    await service.delete(site.pointer.revision)
    await service.lose()
    await service.restore()
    await service.world.publish(ROLLED_BACK, {"index.html": b"built again"})
    pointer = await service.world.sites.pointer(ROLLED_BACK)
    assert pointer is not None
    assert pointer.version >= site.pointer.version + VERSIONS_AHEAD
    assert (await service.restore())["rolled-back"].outcome is Outcome.KNOWN


async def test_change_that_nobody_saved_is_saved_by_the_next_pass_of_anybody(service: Service) -> None:
    await service.world.publish(KEPT, {"index.html": b"first"})
    await service.save()
    # A process that is killed here has moved the pointer and saved nothing.
    await service.world.publish(KEPT, {"index.html": b"second"})
    assert await service.save() == 1
    await service.lose()
    await service.restore()
    assert await service.world.pages(KEPT) == {"index.html": b"second"}


async def manifest_of(service: Service, of: EntityRef) -> Digest:
    pointer = await service.world.sites.pointer(of)
    assert pointer is not None
    return Digest(pointer.revision, pointer.manifest_bytes)


async def needed_by_others(service: Service, of: EntityRef, revision: str) -> set[str]:
    needed: set[str] = set()
    for other in await service.world.sites.revisions(of, after=None, limit=9):
        if other.revision != revision:
            needed |= await service.world.needed(of, other.revision)
    return needed
