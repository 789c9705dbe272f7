"""How often a classic bucket is asked for listings."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from techdocs_server.adapters.classic.memory import MemoryClassicBucket
from techdocs_server.domain.classic_errors import ContentReplaced
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.ports.classic import ClassicFile
from techdocs_server.services.classic_sites import ClassicSites

from tests.support.waiting import eventually

DEMO = EntityRef("default", "component", "demo")


class HeldBucket(MemoryClassicBucket):
    """Lists when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()

    async def files(self, entity: EntityRef) -> Sequence[ClassicFile]:
        found = await super().files(entity)
        await self.gate.wait()
        return found


@pytest.fixture
def bucket() -> HeldBucket:
    bucket = HeldBucket()
    bucket.gate.set()
    bucket.objects["default/component/demo/index.html"] = b"x"
    return bucket


async def test_a_listing_is_believed_for_a_while_also_one_of_nothing(bucket: HeldBucket) -> None:
    sites = ClassicSites(bucket, fresh_seconds=60)
    nobody = EntityRef("default", "component", "nobody")
    for _ in range(3):
        assert await sites.open(DEMO) is not None
        assert await sites.open(nobody) is None
    assert bucket.listings == 2


async def test_all_who_wait_share_a_listing_and_those_who_leave_do_not_end_it(bucket: HeldBucket) -> None:
    bucket.gate.clear()
    sites = ClassicSites(bucket, fresh_seconds=60)
    readers = [asyncio.create_task(sites.open(DEMO)) for _ in range(5)]
    await eventually(lambda: bucket.listings, what="it is being listed")
    readers[0].cancel()
    bucket.gate.set()
    found = await asyncio.gather(*readers[1:])
    assert all(view is not None for view in found)
    assert bucket.listings == 1
    assert readers[0].cancelled()


async def test_a_failure_is_not_believed(bucket: HeldBucket) -> None:
    sites = ClassicSites(bucket, fresh_seconds=60)
    bucket.broken = True
    with pytest.raises(StorageUnavailable):
        await sites.open(DEMO)
    bucket.broken = False
    assert await sites.open(DEMO) is not None


async def test_what_is_remembered_has_a_bound(bucket: HeldBucket) -> None:
    sites = ClassicSites(bucket, fresh_seconds=60, max_files=10)
    for number in range(30):
        await sites.open(EntityRef("default", "component", f"nobody-{number}"))
    assert bucket.listings == 30
    await sites.open(EntityRef("default", "component", "nobody-29"))
    assert bucket.listings == 30
    await sites.open(EntityRef("default", "component", "nobody-0"))
    assert bucket.listings == 31


async def test_the_revision_changes_with_any_file_and_comes_back_with_it(bucket: HeldBucket) -> None:
    sites = ClassicSites(bucket, fresh_seconds=0, believed_for=0)

    async def revision() -> str:
        view = await sites.open(DEMO)
        assert view is not None
        return view.revision

    first = await revision()
    bucket.objects["default/component/demo/a.txt"] = b""
    added = await revision()
    del bucket.objects["default/component/demo/a.txt"]
    bucket.objects["default/component/demo/index.html"] = b"y"
    changed = await revision()
    bucket.objects["default/component/demo/index.html"] = b"x"
    assert len({first, added, changed}) == 3
    assert await revision() == first


async def test_a_file_that_was_replaced_is_told_as_that_and_the_listing_is_made_anew(bucket: HeldBucket) -> None:
    sites = ClassicSites(bucket, fresh_seconds=60)
    view = await sites.open(DEMO)
    assert view is not None
    bucket.objects["default/component/demo/index.html"] = b"another"
    with pytest.raises(ContentReplaced) as raised:
        await anext(sites.read(view, view.content("index.html")))
    assert raised.value.reason == "STORAGE_UNAVAILABLE"
    again = await sites.open(DEMO)
    assert again is not None
    assert b"".join([chunk async for chunk in sites.read(again, again.content("index.html"))]) == b"another"
