from datetime import UTC, datetime
from pathlib import Path

from techdocs_server.domain.build import Build, BuildState
from techdocs_server.domain.principal import INTERNAL
from techdocs_server.services.syncing import SyncWish

from tests.support.pipeline import ENTITY, pipeline

NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def test_a_build_that_was_waiting_when_the_process_died_runs(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        service.write(index="one")
        left = await service.builds.create_build(Build.queued(ENTITY, now=NOW, force=False, request_id=None))
        await service.dispatcher.recover(service.queue)
        assert (await service.events.ended(left.id)).state is BuildState.SUCCEEDED
        assert await service.page() == "one"


async def test_a_build_that_was_running_ends_with_a_reason_and_blocks_nobody(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        service.write(index="one")
        left = await service.builds.create_build(Build.queued(ENTITY, now=NOW, force=False, request_id=None))
        await service.builds.append_events(left.moved(BuildState.PREPARING, now=NOW), [])
        await service.dispatcher.recover(service.queue)
        ended = await service.starter.build(left.id)
        assert ended.state is BuildState.FAILED
        assert ended.problem is not None
        assert (ended.problem.phase, ended.problem.reason) == (BuildState.PREPARING, "SERVER_DRAINING")
        assert (await service.syncer.sync(ENTITY, SyncWish(INTERNAL))).updated
