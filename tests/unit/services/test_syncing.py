import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from techdocs_server.domain.build import Build, BuildState
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import (
    BuildCancelled,
    BuildFailed,
    BuildNotFound,
    BuildQueueFull,
    EntityNotFound,
    RequestIdReused,
    ServerDraining,
    StorageUnavailable,
)
from techdocs_server.domain.principal import INTERNAL
from techdocs_server.services.syncing import SyncEvent, SyncResult, SyncWish

from tests.support.pipeline import ENTITY, pipeline


async def test_first_sync_builds_and_the_next_does_nothing(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        service.write(index="one")
        first = await service.syncer.sync(ENTITY, SyncWish(INTERNAL))
        second = await service.syncer.sync(ENTITY, SyncWish(INTERNAL))
        assert (first.updated, second.updated) == (True, False)
        assert second == SyncResult(first.revision, updated=False, build="")
        assert service.generator.runs == 1
        assert await service.page() == "one"


async def test_an_edit_makes_the_next_sync_build(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        service.write(index="one")
        await service.syncer.sync(ENTITY, SyncWish(INTERNAL))
        service.write(index="two")
        assert (await service.syncer.sync(ENTITY, SyncWish(INTERNAL))).updated
        assert await service.page() == "two"


async def test_forced_sync_of_the_same_output_keeps_the_revision(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        service.write(index="one")
        first = await service.syncer.sync(ENTITY, SyncWish(INTERNAL))
        forced = await service.syncer.sync(ENTITY, SyncWish(INTERNAL, force=True))
        assert (service.generator.runs, forced.revision, forced.updated) == (2, first.revision, False)


async def test_a_hundred_syncs_at_once_are_one_build(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        service.write(index="one")
        results = await asyncio.gather(*(service.syncer.sync(ENTITY, SyncWish(INTERNAL)) for _ in range(100)))
        assert service.generator.runs == 1
        assert len({result.revision for result in results}) == 1


async def test_leaving_does_not_cancel_the_build(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        service.write(index="one")
        service.generator.gate.clear()
        impatient = asyncio.create_task(service.syncer.sync(ENTITY, SyncWish(INTERNAL)))
        await service.generator.started.wait()
        impatient.cancel()
        await asyncio.gather(impatient, return_exceptions=True)
        service.generator.gate.set()
        assert (await service.syncer.sync(ENTITY, SyncWish(INTERNAL))).revision
        assert service.generator.runs == 1


async def test_who_joins_after_an_edit_gets_the_edit(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        service.write(index="old")
        service.generator.gate.clear()
        first = asyncio.create_task(service.syncer.sync(ENTITY, SyncWish(INTERNAL)))
        await service.generator.started.wait()
        service.write(index="new")
        joined = [asyncio.create_task(service.syncer.sync(ENTITY, SyncWish(INTERNAL))) for _ in range(10)]
        await asyncio.sleep(0.05)
        service.generator.gate.set()
        await asyncio.gather(first, *joined)
        assert await service.page() == "new"
        assert service.generator.runs == 2


async def test_a_failed_build_leaves_the_last_good_revision(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        service.write(index="good")
        good = await service.syncer.sync(ENTITY, SyncWish(INTERNAL))
        service.write(index="bad", FAIL="nav names a page that is not there")
        with pytest.raises(BuildFailed, match=r"generating: nav names a page that is not there") as caught:
            await service.syncer.sync(ENTITY, SyncWish(INTERNAL))
        build = await service.starter.build(caught.value.metadata["build"].removeprefix("builds/"))
        assert build.state is BuildState.FAILED
        assert await service.page() == "good"
        assert (await service.reader.open(ENTITY)).revision == good.revision
        assert list(service.workspaces.iterdir()) == []


async def test_a_site_without_a_front_page_is_refused_with_advice(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        service.write(other="x")
        with pytest.raises(BuildFailed, match="no front page"):
            await service.syncer.sync(ENTITY, SyncWish(INTERNAL))


async def test_an_unknown_entity_is_said_to_be_unknown(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        with pytest.raises(EntityNotFound):
            await service.syncer.sync(EntityRef("default", "component", "nobody"), SyncWish(INTERNAL, force=True))


async def test_a_broken_store_is_not_the_authors_fault(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        service.write(index="one")
        service.blobs.fail_at = 1
        with pytest.raises(StorageUnavailable):
            await service.syncer.sync(ENTITY, SyncWish(INTERNAL))


async def test_cancelling_ends_the_build_and_tells_the_waiting(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        service.write(index="one")
        service.generator.gate.clear()
        waiting = asyncio.create_task(service.syncer.sync(ENTITY, SyncWish(INTERNAL)))
        await service.generator.started.wait()
        active = await service.builds.active_build(ENTITY)
        assert active is not None
        cancelled = await service.starter.cancel(active.id)
        assert cancelled.state is BuildState.CANCELLED
        with pytest.raises(BuildCancelled):
            await waiting
        assert list(service.workspaces.iterdir()) == []
        service.generator.gate.set()
        assert (await service.syncer.sync(ENTITY, SyncWish(INTERNAL))).updated


async def test_a_waiting_build_can_be_cancelled_and_never_runs(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        service.write(index="one")
        await service.queue.stop()
        build = await service.starter.create(ENTITY, viewer=INTERNAL, force=False, request_id=None)
        assert (await service.starter.cancel(build.id)).state is BuildState.CANCELLED
        service.queue.start(service.dispatcher.run)
        await service.syncer.sync(ENTITY, SyncWish(INTERNAL))
        assert service.generator.runs == 1


async def test_a_full_queue_says_when_to_come_back_and_records_nothing(tmp_path: Path) -> None:
    async with pipeline(tmp_path, limit=1) as service:
        service.write(index="one")
        await service.queue.stop()
        await service.queue.submit(Build.queued(EntityRef("default", "component", "x"), now=datetime.now(UTC)))
        with pytest.raises(BuildQueueFull) as caught:
            await service.starter.create(ENTITY, viewer=INTERNAL, force=False, request_id=None)
        assert caught.value.retry_after_seconds
        assert await service.builds.active_build(ENTITY) is None


async def test_a_retried_request_gets_the_same_build(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        service.write(index="one")
        first = await service.starter.create(ENTITY, viewer=INTERNAL, force=False, request_id="a")
        await service.events.ended(first.id)
        again = await service.starter.create(ENTITY, viewer=INTERNAL, force=False, request_id="a")
        assert again.id == first.id
        with pytest.raises(RequestIdReused):
            await service.starter.create(ENTITY, viewer=INTERNAL, force=True, request_id="a")


async def test_a_stream_tells_everything_once_and_in_order(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        service.write(index="one")
        items = [item async for item in service.syncer.stream(ENTITY, SyncWish(INTERNAL))]
        events = [item.event for item in items if isinstance(item, SyncEvent)]
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        assert events[-1].is_last
        assert isinstance(items[-1], SyncResult)
        states = [str(event.happening.state) for event in events if isinstance(event.happening, Build)]
        assert states == ["queued", "preparing", "generating", "publishing", "succeeded"]


async def test_a_resumed_stream_has_what_the_broken_one_had_not(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        service.write(index="one")
        whole = [item async for item in service.syncer.stream(ENTITY, SyncWish(INTERNAL))]
        assert isinstance(whole[0], SyncEvent)
        build_id = whole[0].build.removeprefix("builds/")
        for cut in range(len(whole)):
            rest = [item async for item in service.syncer.stream(ENTITY, SyncWish(INTERNAL), resume=(build_id, cut))]
            assert rest == whole[cut:]


async def test_a_build_of_another_entity_cannot_be_resumed(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        service.write(index="one")
        result = await service.syncer.sync(ENTITY, SyncWish(INTERNAL))
        other = EntityRef("default", "component", "other")
        with pytest.raises(BuildNotFound):
            resume = (result.build.removeprefix("builds/"), 0)
            async for _ in service.syncer.stream(other, SyncWish(INTERNAL), resume=resume):
                pass


async def test_watchers_are_told_when_the_server_stops(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        service.write(index="one")
        service.generator.gate.clear()
        waiting = asyncio.create_task(service.syncer.sync(ENTITY, SyncWish(INTERNAL)))
        await service.generator.started.wait()
        service.events.close()
        with pytest.raises(ServerDraining):
            await waiting


async def test_a_stopped_server_leaves_no_build_running(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        service.write(index="one")
        service.generator.gate.clear()
        build = await service.starter.create(ENTITY, viewer=INTERNAL, force=False, request_id=None)
        await service.generator.started.wait()
        await service.queue.stop()
        ended = await service.starter.build(build.id)
        assert ended.state is BuildState.FAILED
        assert ended.problem is not None
        assert "the server stopped" in ended.problem.message
