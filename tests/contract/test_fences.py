"""A build publishes only while the attempt it is of is the one that runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from techdocs_server.domain.build import Build, BuildEvent, BuildFence, BuildState
from techdocs_server.domain.site import SitePointer
from techdocs_server.ports.records import BuildSuperseded

from tests.support.clocks import NOON
from tests.support.record_values import entity, queued, revision
from tests.support.stores import BUILD_RECORDS, Records, open_records

SITE = entity("docs")
FIRST = revision(SITE, "first")


@pytest.fixture(params=BUILD_RECORDS)
async def records(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Records]:
    server = request.getfixturevalue("postgresql_server") if request.param == "postgresql" else None
    async with open_records(request.param, tmp_path, server) as opened:
        await opened.sites.add_revision(FIRST)
        yield opened


async def moved(records: Records, fence: BuildFence) -> SitePointer:
    return await records.sites.move_pointer(
        SITE, to=FIRST.revision, source_etag="", expected=None, now=NOON, fence=fence
    )


async def stored(records: Records, build: Build) -> Build:
    after = replace(build, last_sequence=build.last_sequence + 1)
    await records.builds.append_events(after, [BuildEvent(after.last_sequence, NOON, after)])
    return after


async def running(records: Records) -> Build:
    build = await records.builds.create_build(queued(SITE))
    return await stored(records, build.moved(BuildState.PREPARING, now=NOON))


async def test_attempt_that_runs_publishes(records: Records) -> None:
    pointer = await moved(records, (await running(records)).fence)
    assert pointer.revision == FIRST.revision


async def test_attempt_that_was_taken_over_does_not_publish(records: Records) -> None:
    build = await running(records)
    again = await stored(records, build.retried(now=NOON))
    with pytest.raises(BuildSuperseded):
        await moved(records, build.fence)
    assert await records.sites.pointer(SITE) is None
    assert (await moved(records, again.fence)).revision == FIRST.revision


async def test_build_that_has_ended_does_not_publish(records: Records) -> None:
    build = await running(records)
    await stored(records, build.moved(BuildState.CANCELLED, now=NOON))
    with pytest.raises(BuildSuperseded):
        await moved(records, build.fence)


async def test_unknown_build_does_not_publish(records: Records) -> None:
    with pytest.raises(BuildSuperseded):
        await moved(records, BuildFence("nobody", 1))
