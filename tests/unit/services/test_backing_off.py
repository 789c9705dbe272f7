from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from techdocs_server.adapters.records.memory import MemoryBuildRecords
from techdocs_server.domain.build import Build, BuildProblem, BuildState
from techdocs_server.domain.errors import BuildFailed
from techdocs_server.domain.principal import INTERNAL
from techdocs_server.services.backing_off import BackOff
from techdocs_server.services.syncing import SyncWish

from tests.support.clocks import ManualClock
from tests.support.pipeline import ENTITY, pipeline

NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def fail(records: MemoryBuildRecords, when: datetime, *, etag: str = "a", cause: str = "MKDOCS_FAILED") -> None:
    build = await records.create_build(Build.queued(ENTITY, now=when))
    problem = BuildProblem(BuildState.GENERATING, "BUILD_FAILED", "no", cause=cause)
    ended = build.moved(BuildState.FAILED, now=when)
    await records.append_events(replace(ended, problem=problem, source_etag=etag), [])


async def test_the_wait_doubles_with_each_failure_of_one_source() -> None:
    records, clock = MemoryBuildRecords(), ManualClock(NOW)
    back_off = BackOff(records, clock)
    for failures, wait in ((1, 10), (2, 20), (3, 40)):
        await fail(records, clock.now())
        clock.advance(wait - 1)
        assert await back_off.recent_failure(ENTITY, "a") is not None, failures
        clock.advance(2)
        assert await back_off.recent_failure(ENTITY, "a") is None, failures


async def test_a_changed_source_is_built_at_once() -> None:
    records, clock = MemoryBuildRecords(), ManualClock(NOW)
    await fail(records, NOW)
    assert await BackOff(records, clock).recent_failure(ENTITY, "b") is None


async def test_a_failure_that_was_not_the_sources_does_not_count() -> None:
    records, clock = MemoryBuildRecords(), ManualClock(NOW)
    await fail(records, NOW, cause="KILLED")
    assert await BackOff(records, clock).recent_failure(ENTITY, "a") is None


async def test_the_same_broken_source_is_not_built_again_but_its_failure_told(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        service.write(index="x", FAIL="the nav is broken")
        for _ in range(3):
            with pytest.raises(BuildFailed, match="the nav is broken"):
                await service.syncer.sync(ENTITY, SyncWish(INTERNAL))
        assert service.generator.runs == 1
        with pytest.raises(BuildFailed):
            await service.syncer.sync(ENTITY, SyncWish(INTERNAL, force=True))
        assert service.generator.runs == 2
        service.write(index="mended")
        assert (await service.syncer.sync(ENTITY, SyncWish(INTERNAL))).updated
