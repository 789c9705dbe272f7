import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from techdocs_server.domain.errors import (
    BuildInProgress,
    ETagMismatch,
    RevisionConflict,
    RevisionNotFound,
    SiteNotFound,
    StorageUnavailable,
)
from techdocs_server.domain.principal import INTERNAL
from techdocs_server.services.lease_times import LEASE
from techdocs_server.services.listing import PageRequest
from techdocs_server.services.syncing import SyncWish

from tests.support.pipeline import ENTITY, Pipeline, pipeline


async def test_publish_stopped_before_any_store_call_shows_readers_a_whole_revision(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        service.write(index="old", a="old", b="old")
        await service.syncer.sync(ENTITY, SyncWish(INTERNAL))
        service.write(index="new", a="new", b="new")
        stops = 0
        while True:
            service.blobs.calls, service.blobs.fail_at = 0, stops + 1
            try:
                await service.syncer.sync(ENTITY, SyncWish(INTERNAL))
            except StorageUnavailable:
                stops += 1
                assert {await service.page(f"{name}.html") for name in ("index", "a", "b")} == {"old"}
            else:
                break
        # The one blob of three equal pages, the metadata, the manifest.
        assert stops == 3
        assert {await service.page(f"{name}.html") for name in ("index", "a", "b")} == {"new"}


async def test_reader_keeps_its_revision_while_another_is_published(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        service.write(index="old")
        await service.syncer.sync(ENTITY, SyncWish(INTERNAL))
        view = await service.reader.open_own(ENTITY)
        service.write(index="new")
        await service.syncer.sync(ENTITY, SyncWish(INTERNAL))
        assert await service.reader.read_all(view, view.locate("")) == b"old"
        assert await service.page() == "new"


async def two_revisions(service: Pipeline) -> tuple[str, str]:
    service.write(index="one")
    first = await service.syncer.sync(ENTITY, SyncWish(INTERNAL))
    service.write(index="two")
    second = await service.syncer.sync(ENTITY, SyncWish(INTERNAL))
    return first.revision, second.revision


async def test_rollback_moves_the_pointer_and_writes_no_blob(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        first, _ = await two_revisions(service)
        service.blobs.calls = 0
        site, _ = await service.life.roll_back(ENTITY, first, etag="")
        assert site.pointer.revision == first
        assert (service.blobs.calls, await service.page()) == (0, "one")


async def test_rollback_holds_until_the_source_changes(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        first, _ = await two_revisions(service)
        await service.life.roll_back(ENTITY, first, etag="")
        assert (await service.syncer.sync(ENTITY, SyncWish(INTERNAL))).revision == first
        service.write(index="three")
        await service.syncer.sync(ENTITY, SyncWish(INTERNAL))
        assert await service.page() == "three"


async def test_source_that_went_back_is_current_without_a_new_revision(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        first, _ = await two_revisions(service)
        await service.life.roll_back(ENTITY, first, etag="")
        service.write(index="one")
        result = await service.syncer.sync(ENTITY, SyncWish(INTERNAL))
        assert (result.revision, result.updated) == (first, False)
        runs = service.generator.runs
        await service.syncer.sync(ENTITY, SyncWish(INTERNAL))
        assert service.generator.runs == runs


async def test_rollback_during_a_build_wins(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        first, _ = await two_revisions(service)
        service.write(index="three")
        service.generator.gate.clear()
        service.generator.started.clear()
        building = asyncio.create_task(service.syncer.sync(ENTITY, SyncWish(INTERNAL)))
        await service.generator.started.wait()
        await service.life.roll_back(ENTITY, first, etag="")
        service.generator.gate.set()
        with pytest.raises(RevisionConflict):
            await building
        assert await service.page() == "one"


async def test_rollback_needs_the_etag_it_was_given(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        first, _ = await two_revisions(service)
        site, _ = await service.life.site(ENTITY)
        with pytest.raises(ETagMismatch) as caught:
            await service.life.roll_back(ENTITY, first, etag='"0"')
        assert caught.value.metadata["etag"] == site.pointer.etag
        await service.life.roll_back(ENTITY, first, etag=site.pointer.etag)


async def test_rollback_to_what_never_was_is_refused(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        with pytest.raises(SiteNotFound):
            await service.life.roll_back(ENTITY, "0" * 64, etag="")
        await two_revisions(service)
        with pytest.raises(RevisionNotFound):
            await service.life.roll_back(ENTITY, "0" * 64, etag="")


async def test_deleted_site_is_gone_and_can_be_built_again(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        first, _ = await two_revisions(service)
        before, _ = await service.life.site(ENTITY)
        await service.life.delete(ENTITY, etag="", allow_missing=False, force=False)
        with pytest.raises(SiteNotFound):
            await service.page()
        with pytest.raises(SiteNotFound):
            await service.page(revision=first)
        with pytest.raises(SiteNotFound):
            await service.life.delete(ENTITY, etag="", allow_missing=False, force=False)
        await service.life.delete(ENTITY, etag="", allow_missing=True, force=False)
        await service.syncer.sync(ENTITY, SyncWish(INTERNAL))
        after, _ = await service.life.site(ENTITY)
        assert after.pointer.version > before.pointer.version
        with pytest.raises(RevisionNotFound):
            await service.page(revision=first)


async def test_site_with_a_build_in_flight_is_deleted_only_by_force(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        await two_revisions(service)
        service.generator.gate.clear()
        service.generator.started.clear()
        building = asyncio.create_task(service.syncer.sync(ENTITY, SyncWish(INTERNAL, force=True)))
        await service.generator.started.wait()
        with pytest.raises(BuildInProgress):
            await service.life.delete(ENTITY, etag="", allow_missing=False, force=False)
        await service.life.delete(ENTITY, etag="", allow_missing=False, force=True)
        await asyncio.gather(building, return_exceptions=True)
        with pytest.raises(SiteNotFound):
            await service.page()


async def test_pages_of_a_listing_stay_with_their_revision(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        service.write(**{name: name for name in ("index", "a", "b", "c")})
        await service.syncer.sync(ENTITY, SyncWish(INTERNAL))
        revision, page = await service.listings.contents(
            ENTITY, revision="", path_prefix="", page=PageRequest(size=2, token="")
        )
        service.write(index="other")
        await service.syncer.sync(ENTITY, SyncWish(INTERNAL))
        paths = [content.path for content in page.items]
        while page.next_token:
            again, page = await service.listings.contents(
                ENTITY, revision="", path_prefix="", page=PageRequest(size=2, token=page.next_token)
            )
            assert again == revision
            paths += [content.path for content in page.items]
        assert paths == ["a.html", "b.html", "c.html", "index.html", "techdocs_metadata.json"]


async def test_damaged_manifest_is_repaired_by_a_forced_sync(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        service.write(index="one")
        first = await service.syncer.sync(ENTITY, SyncWish(INTERNAL))
        service.blobs._contents[first.revision] = b"rot"
        service.reader._manifests.clear()
        await service.syncer.sync(ENTITY, SyncWish(INTERNAL, force=True))
        assert await service.page() == "one"


async def test_publish_leases_what_is_new_in_it_and_nothing_else(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        service.write(index="same", a="old")
        await service.syncer.sync(ENTITY, SyncWish(INTERNAL))
        later = datetime.now(UTC) + LEASE
        service.write(index="same", a="new")
        result = await service.syncer.sync(ENTITY, SyncWish(INTERNAL))
        leases = service.sites.sweeping.leases
        view = await service.reader.open_own(ENTITY)
        needed = {*view.manifest.files.values(), view.manifest.digest}
        # A lease that ends after the second publish began is one of its own.
        fresh = await leases.held(ENTITY, needed, now=later)
        assert needed - fresh == {view.manifest.files["index.html"]}
        assert leases.names(result.revision, later)
        before = dict(leases._leases)
        await service.syncer.sync(ENTITY, SyncWish(INTERNAL, force=True))
        assert leases._leases == before, "a publish that changes nothing leases nothing"
