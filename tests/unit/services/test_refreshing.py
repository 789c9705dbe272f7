import asyncio
from pathlib import Path

from techdocs_server.domain.build import BuildTrigger
from techdocs_server.domain.principal import INTERNAL
from techdocs_server.services.refreshing import Refresher
from techdocs_server.services.syncing import SyncWish

from tests.support.pipeline import ENTITY, Pipeline, pipeline
from tests.support.waiting import eventually


async def run(service: Pipeline) -> asyncio.Task[None]:
    return asyncio.create_task(Refresher(sources=service.sources, syncer=service.syncer, interval_seconds=0.05).run())


async def test_an_edit_is_live_without_anybody_asking(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as service:
        service.write(index="one")
        await service.syncer.sync(ENTITY, SyncWish(INTERNAL))
        task = await run(service)
        try:
            service.write(index="two")

            async def is_live() -> bool:
                return await service.page() == "two"

            await eventually(is_live, what="the edit to be live")
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        newest = await service.builds.builds(entity=ENTITY, states=(), after=None, limit=1)
        assert newest[0].trigger is BuildTrigger.REFRESH
        assert service.generator.runs == 2


async def test_a_scheduled_build_moves_up_when_somebody_waits_for_it(tmp_path: Path) -> None:
    async with pipeline(tmp_path, concurrency=1) as service:
        service.write(index="one")
        await service.queue.stop()
        await service.syncer.refresh(ENTITY)
        waiting = asyncio.create_task(service.syncer.sync(ENTITY, SyncWish(INTERNAL)))
        await asyncio.sleep(0.05)
        service.queue.start(service.dispatcher.run)
        assert (await waiting).updated
        assert service.generator.runs == 1
