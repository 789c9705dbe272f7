"""Builds that leave out what the revision before has, and what a build cannot get by claiming it."""

from __future__ import annotations

from pathlib import Path

import pytest
from techdocs_server.domain.build import Build, BuildProgress, BuildState
from techdocs_server.domain.errors import BuildFailed
from techdocs_server.domain.principal import INTERNAL
from techdocs_server.services.syncing import SyncResult, SyncWish

from tests.support.blob_content import stored
from tests.support.pipeline import ENTITY, Pipeline, pipeline
from tests.support.reusing import ReusingGenerator


async def build_of(service: Pipeline, result: SyncResult) -> Build:
    return await service.starter.build(result.build.removeprefix("builds/"))


async def synced(service: Pipeline, *, force: bool = False, **pages: str) -> Build:
    service.write(**pages)
    return await build_of(service, await service.syncer.sync(ENTITY, SyncWish(INTERNAL, force=force)))


async def test_unchanged_pages_come_from_the_revision_before(tmp_path: Path) -> None:
    async with pipeline(tmp_path, generator=ReusingGenerator()) as service:
        first = await synced(service, index="one", a="a", b="b")
        second = await synced(service, index="two", a="a", b="b")
        assert (first.pages, second.pages) == (BuildProgress(3, 0, 3), BuildProgress(3, 2, 3))
        assert (first.full_build_reason, second.full_build_reason) == ("no earlier build left anything to reuse", "")
        assert [await service.page(f"{name}.html") for name in ("index", "a", "b")] == ["two", "a", "b"]
        # The revision itself does not tell how it was made.
        again = await synced(service, force=True, index="two", a="a", b="b")
        assert (again.revision, again.updated) == (second.revision, False)


async def test_removed_page_is_not_in_the_next_revision(tmp_path: Path) -> None:
    async with pipeline(tmp_path, generator=ReusingGenerator()) as service:
        await synced(service, index="one", a="a")
        await synced(service, index="one")
        view = await service.reader.open_own(ENTITY)
        assert view.manifest.paths == ("index.html", "techdocs_metadata.json")


async def test_written_file_wins_over_a_claim_of_the_same_path(tmp_path: Path) -> None:
    generator = ReusingGenerator()
    async with pipeline(tmp_path, generator=generator) as service:
        await synced(service, index="one")
        generator.claims = {"index.html"}
        await synced(service, index="two")
        assert await service.page() == "two"


@pytest.mark.parametrize("claim", ["secret.html", "../secret.html", "", "a" * 64, "a.html"])
async def test_path_that_the_current_revision_does_not_have_cannot_be_claimed(tmp_path: Path, claim: str) -> None:
    """Bytes of other sites lie in the same store: a build reaches those of its own revision, by their paths, and no others."""
    generator = ReusingGenerator()
    async with pipeline(tmp_path, generator=generator) as service:
        secret = await stored(service.blobs, b"of another site")
        before = await synced(service, index="one")
        generator.claims = {claim or secret.sha256}
        service.write(index="two")
        with pytest.raises(BuildFailed, match="which the current revision does not have") as caught:
            await service.syncer.sync(ENTITY, SyncWish(INTERNAL))
        failed = await service.starter.build(caught.value.metadata["build"].removeprefix("builds/"))
        assert failed.state is BuildState.FAILED
        assert failed.problem is not None
        assert (failed.problem.cause, failed.problem.hint) == (
            "OUTPUT_REFUSED",
            "sync with force, which renders every page",
        )
        assert (await service.page(), (await service.reader.open_own(ENTITY)).revision) == ("one", before.revision)


async def test_first_build_of_a_site_can_claim_nothing(tmp_path: Path) -> None:
    generator = ReusingGenerator()
    async with pipeline(tmp_path, generator=generator) as service:
        generator.claims = {"index.html", "a.html"}
        service.write(index="one")
        with pytest.raises(BuildFailed, match=r"'a\.html', which the current revision does not have"):
            await service.syncer.sync(ENTITY, SyncWish(INTERNAL))


async def test_metadata_of_the_revision_before_is_never_reused(tmp_path: Path) -> None:
    generator = ReusingGenerator()
    async with pipeline(tmp_path, generator=generator) as service:
        await synced(service, index="one")
        before = await service.page("techdocs_metadata.json")
        generator.claims = {"techdocs_metadata.json"}
        await synced(service, index="two")
        assert await service.page("techdocs_metadata.json") != before


async def test_page_of_an_older_revision_cannot_be_claimed(tmp_path: Path) -> None:
    generator = ReusingGenerator()
    async with pipeline(tmp_path, generator=generator) as service:
        await synced(service, index="one", old="old")
        await synced(service, index="one")
        generator.claims = {"old.html"}
        service.write(index="two")
        with pytest.raises(BuildFailed):
            await service.syncer.sync(ENTITY, SyncWish(INTERNAL))


async def test_forced_build_is_given_nothing_and_says_so(tmp_path: Path) -> None:
    generator = ReusingGenerator()
    async with pipeline(tmp_path, generator=generator) as service:
        await synced(service, index="one")
        forced = await synced(service, force=True, index="one")
        assert generator.requests[-1].reuse_from is None
        assert (forced.full_build_reason, forced.pages) == ("the build was forced", BuildProgress(1, 0, 1))
        # What it left is used by the next one, although the revision is the same.
        assert (await synced(service, index="one", a="a")).pages == BuildProgress(2, 1, 2)


async def test_state_is_of_the_revision_that_is_current(tmp_path: Path) -> None:
    generator = ReusingGenerator()
    async with pipeline(tmp_path, generator=generator) as service:
        first = await synced(service, index="one", a="a")
        await synced(service, index="two", a="a")
        await service.life.roll_back(ENTITY, first.revision, etag="")
        third = await synced(service, index="three", a="a")
        assert generator.requests[-1].reuse_from is None, "the state there is belongs to the second revision"
        assert third.pages == BuildProgress(2, 0, 2)
        assert await service.page() == "three"


async def test_deleted_site_leaves_no_state(tmp_path: Path) -> None:
    async with pipeline(tmp_path, generator=ReusingGenerator()) as service:
        await synced(service, index="one")
        assert len(list((tmp_path / "reuse").iterdir())) == 1
        await service.life.delete(ENTITY, etag="", allow_missing=False, force=False)
        assert list((tmp_path / "reuse").iterdir()) == []


async def test_build_whose_state_cannot_be_kept_succeeds(tmp_path: Path) -> None:
    (tmp_path / "reuse").write_text("no folder")
    async with pipeline(tmp_path, generator=ReusingGenerator()) as service:
        for text in ("one", "two"):
            build = await synced(service, index=text)
            assert (build.state, build.updated) == (BuildState.SUCCEEDED, True)


async def test_build_that_leaves_nothing_costs_the_next_one_its_reuse(tmp_path: Path) -> None:
    generator = ReusingGenerator()
    async with pipeline(tmp_path, generator=generator) as service:
        await synced(service, index="one", a="a")
        generator.leaves_nothing = True
        assert (await synced(service, index="two", a="a")).pages == BuildProgress(2, 1, 2)
        assert (await synced(service, index="three", a="a")).pages == BuildProgress(2, 0, 2)


async def test_failed_build_leaves_the_state_of_the_current_revision(tmp_path: Path) -> None:
    async with pipeline(tmp_path, generator=ReusingGenerator()) as service:
        await synced(service, index="one", a="a")
        service.write(index="two", a="a", FAIL="it is wrong")
        with pytest.raises(BuildFailed):
            await service.syncer.sync(ENTITY, SyncWish(INTERNAL))
        assert (await synced(service, index="three", a="a")).pages == BuildProgress(2, 1, 2)


async def test_without_room_a_build_is_asked_to_leave_nothing(tmp_path: Path) -> None:
    generator = ReusingGenerator()
    async with pipeline(tmp_path, generator=generator, reuse_max_bytes=0) as service:
        for text in ("one", "two"):
            await synced(service, index=text)
        assert {(request.reuse_from, request.reuse_into) for request in generator.requests} == {(None, None)}


async def test_damaged_store_is_healed_by_a_forced_sync(tmp_path: Path) -> None:
    async with pipeline(tmp_path, generator=ReusingGenerator()) as service:
        await synced(service, index="one", a="a")
        lost = (await service.reader.open_own(ENTITY)).locate("a.html").digest
        del service.blobs._contents[lost.sha256]
        service.write(index="two", a="a")
        await service.syncer.sync(ENTITY, SyncWish(INTERNAL))
        assert await service.blobs.missing([lost]) == {lost}, "a build asks for what it wrote and nothing else"
        healed = await synced(service, force=True, index="two", a="a")
        assert (await service.page("a.html"), healed.updated) == ("a", False)


async def test_lost_metadata_is_healed_by_a_forced_sync(tmp_path: Path) -> None:
    async with pipeline(tmp_path, generator=ReusingGenerator()) as service:
        await synced(service, index="one")
        lost = (await service.reader.open_own(ENTITY)).locate("techdocs_metadata.json").digest
        del service.blobs._contents[lost.sha256]
        healed = await synced(service, force=True, index="one")
        assert healed.updated, "it has the time of its build in it, so it cannot be made as it was"
        assert await service.page("techdocs_metadata.json") != ""
