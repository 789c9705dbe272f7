"""Syncs that a check of a moment ago answers, and servers that build nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from techdocs_server.domain.build import BuildEvent, LogLine
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import BuilderDisabled, BuildFailed, EntityNotFound, NoDocsSource
from techdocs_server.domain.principal import INTERNAL
from techdocs_server.services.syncing import SyncEvent, SyncResult, SyncWish

from tests.support.clocks import ManualClock
from tests.support.pipeline import ENTITY, Pipeline, pipeline

LOOK = SyncWish(INTERNAL)
PAGE_VIEW = SyncWish(INTERNAL, max_check_age=timedelta(seconds=60))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def service(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Pipeline]:
    async with pipeline(tmp_path, clock=clock) as made:
        made.write(index="one")
        yield made


async def streamed(service: Pipeline, wish: SyncWish) -> list[SyncEvent | SyncResult | None]:
    return [item async for item in service.syncer.stream(ENTITY, wish)]


async def test_check_answers_for_a_minute_without_a_look_at_the_source(service: Pipeline, clock: ManualClock) -> None:
    first = await service.syncer.sync(ENTITY, PAGE_VIEW)
    service.write(index="two")
    clock.advance(59.9)
    assert await streamed(service, PAGE_VIEW) == [SyncResult(first.revision, updated=False, build="")]
    assert await service.syncer.sync(ENTITY, PAGE_VIEW) == SyncResult(first.revision, updated=False, build="")
    clock.advance(0.1)
    assert (await service.syncer.sync(ENTITY, PAGE_VIEW)).updated
    assert await service.page() == "two"


async def test_look_that_found_nothing_new_is_a_check_too(service: Pipeline, clock: ManualClock) -> None:
    await service.syncer.sync(ENTITY, PAGE_VIEW)
    clock.advance(100)
    assert not (await service.syncer.sync(ENTITY, PAGE_VIEW)).updated
    service.write(index="two")
    clock.advance(59)
    assert not (await service.syncer.sync(ENTITY, PAGE_VIEW)).updated
    clock.advance(1)
    assert (await service.syncer.sync(ENTITY, PAGE_VIEW)).updated


@pytest.mark.parametrize("wish", [LOOK, SyncWish(INTERNAL, force=True), SyncWish(INTERNAL, True, timedelta(hours=1))])
async def test_who_does_not_take_a_check_gets_the_edit_at_once(service: Pipeline, wish: SyncWish) -> None:
    await service.syncer.sync(ENTITY, PAGE_VIEW)
    service.write(index="two")
    assert (await service.syncer.sync(ENTITY, wish)).updated


async def test_answers_do_not_prolong_a_check(service: Pipeline, clock: ManualClock) -> None:
    await service.syncer.sync(ENTITY, PAGE_VIEW)
    service.write(index="two")
    for _ in range(5):
        clock.advance(11)
        assert not (await service.syncer.sync(ENTITY, PAGE_VIEW)).updated
    clock.advance(11)
    assert (await service.syncer.sync(ENTITY, PAGE_VIEW)).updated


async def test_build_counts_from_when_it_began_to_read(service: Pipeline, clock: ManualClock) -> None:
    service.generator.gate.clear()
    syncing = asyncio.create_task(service.syncer.sync(ENTITY, SyncWish(INTERNAL, force=True)))
    await service.generator.started.wait()
    clock.advance(50)
    service.generator.gate.set()
    await syncing
    service.write(index="two")
    clock.advance(11)
    assert (await service.syncer.sync(ENTITY, PAGE_VIEW)).updated


async def test_failure_is_no_check(service: Pipeline, clock: ManualClock) -> None:
    service.write(index="one", FAIL="broken")
    for _ in range(2):
        with pytest.raises(BuildFailed) as failed:
            await service.syncer.sync(ENTITY, PAGE_VIEW)
        assert failed.value.metadata["cause"] == "MKDOCS_FAILED"
    service.write(index="mended")
    assert (await service.syncer.sync(ENTITY, PAGE_VIEW)).updated
    service.write(index="mended", FAIL="again")
    clock.advance(60)
    with pytest.raises(BuildFailed):
        await service.syncer.sync(ENTITY, PAGE_VIEW)


async def test_deleted_site_is_not_called_current(service: Pipeline) -> None:
    first = await service.syncer.sync(ENTITY, PAGE_VIEW)
    await service.life.delete(ENTITY, etag="", allow_missing=False, force=False)
    again = await service.syncer.sync(ENTITY, PAGE_VIEW)
    assert (again.revision, again.updated) == (first.revision, True)


async def test_rollback_is_not_undone_and_the_next_edit_is_built(service: Pipeline, clock: ManualClock) -> None:
    first = await service.syncer.sync(ENTITY, PAGE_VIEW)
    service.write(index="two")
    await service.syncer.sync(ENTITY, LOOK)
    await service.life.roll_back(ENTITY, first.revision, etag="")
    assert not (await service.syncer.sync(ENTITY, PAGE_VIEW)).updated
    assert await service.page() == "one"
    clock.advance(61)
    service.write(index="three")
    assert (await service.syncer.sync(ENTITY, PAGE_VIEW)).updated
    assert await service.page() == "three"


async def test_publish_from_elsewhere_ends_the_check(service: Pipeline, clock: ManualClock) -> None:
    first = await service.syncer.sync(ENTITY, PAGE_VIEW)
    pointer = await service.sites.pointer(ENTITY)
    await service.sites.move_pointer(
        ENTITY, to=first.revision, source_etag="publish:1", expected=pointer, now=clock.now()
    )
    # What was published was never compared with the source, so somebody looks.
    assert (await service.syncer.sync(ENTITY, PAGE_VIEW)).build


async def test_check_of_a_clock_that_is_far_ahead_does_not_answer(service: Pipeline, clock: ManualClock) -> None:
    await service.syncer.sync(ENTITY, PAGE_VIEW)
    service.write(index="two")
    clock.advance(-3600)
    assert (await service.syncer.sync(ENTITY, PAGE_VIEW)).updated


async def test_entity_must_be_there_although_a_check_would_answer(service: Pipeline) -> None:
    with pytest.raises(EntityNotFound):
        await service.syncer.sync(EntityRef("default", "component", "nobody"), PAGE_VIEW)


async def test_log_of_a_build_has_backstages_steps_in_order(service: Pipeline) -> None:
    events = await streamed(service, PAGE_VIEW)
    lines = [
        item.event.happening.text
        for item in events
        if isinstance(item, SyncEvent)
        and isinstance(item.event, BuildEvent)
        and isinstance(item.event.happening, LogLine)
    ]
    assert [line for line in lines if line.startswith("Step ")] == [
        "Step 1 of 3: Preparing docs for entity component:default/demo",
        "Step 2 of 3: Generating docs for entity component:default/demo",
        "Step 3 of 3: Publishing docs for entity component:default/demo",
    ]
    assert "Building documentation" in lines
    assert [isinstance(item, SyncResult) for item in events].count(True) == 1
    assert isinstance(events[-1], SyncResult)


@pytest.fixture
async def external(tmp_path: Path) -> AsyncIterator[Pipeline]:
    async with pipeline(tmp_path, builds_sites=False) as made:
        made.write(index="one")
        yield made


async def test_server_that_builds_nothing_answers_every_sync_at_once(external: Pipeline) -> None:
    for wish in (LOOK, PAGE_VIEW, SyncWish(INTERNAL, force=True)):
        assert await external.syncer.sync(ENTITY, wish) == SyncResult("", updated=False, build="")
        assert await streamed(external, wish) == [SyncResult("", updated=False, build="")]
    external.catalog.source = None
    assert await external.syncer.sync(ENTITY, LOOK) == SyncResult("", updated=False, build="")
    assert external.generator.runs == 0


async def test_server_that_builds_nothing_knows_only_entities_that_there_are(external: Pipeline) -> None:
    with pytest.raises(EntityNotFound):
        await external.syncer.sync(EntityRef("default", "component", "nobody"), LOOK)


async def test_server_that_builds_nothing_takes_no_builds(external: Pipeline) -> None:
    with pytest.raises(BuilderDisabled):
        await external.starter.create(ENTITY, viewer=INTERNAL, force=False, request_id=None)
    await external.syncer.refresh(ENTITY)
    assert external.generator.runs == 0


async def test_entity_without_an_id_cannot_be_synced(service: Pipeline) -> None:
    service.catalog.uid = ""
    with pytest.raises(EntityNotFound, match=r"no metadata\.uid"):
        await service.syncer.sync(ENTITY, PAGE_VIEW)


async def test_entity_without_a_source_is_refused_before_any_event(service: Pipeline) -> None:
    service.catalog.source = None
    with pytest.raises(NoDocsSource):
        await streamed(service, PAGE_VIEW)
