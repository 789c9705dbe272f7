"""Records that are away for a moment cost a build time, and a user's call its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

import pytest
from techdocs_server.adapters.blobs.memory import MemoryBlobStore
from techdocs_server.adapters.clock import SystemClock
from techdocs_server.adapters.records.memory import MemoryBuildRecords, MemorySiteRecords
from techdocs_server.domain.build import Build, BuildEvent, BuildFence, BuildState
from techdocs_server.domain.change import Cause
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import RevisionConflict, StorageUnavailable
from techdocs_server.domain.site import SitePointer
from techdocs_server.services.build_events import BuildEvents
from techdocs_server.services.build_journal import BuildJournal
from techdocs_server.services.committing import NewRevision, Published, RevisionCommitter
from techdocs_server.services.patience import NONE, Patience

from tests.support.blob_content import stored
from tests.support.record_values import entity, queued

SITE = entity("demo")
SOME = Patience(seconds=5, pause_seconds=0.01)


class Away:
    """Fails a number of calls, before they happen or after: then only the answer is lost."""

    def __init__(self, calls: int, *, after: bool) -> None:
        self._calls, self._after = calls, after

    def before(self) -> None:
        if not self._after:
            self.fail()

    def fail(self) -> None:
        if self._calls:
            self._calls -= 1
            raise StorageUnavailable("the database was stopped")

    def after(self) -> None:
        if self._after:
            self.fail()


class AwayBuilds(MemoryBuildRecords):
    def __init__(self, away: Away) -> None:
        super().__init__()
        self._away = away

    async def append_events(self, build: Build, events: Sequence[BuildEvent]) -> None:
        self._away.before()
        await super().append_events(build, events)
        self._away.after()


class AwaySites(MemorySiteRecords):
    def __init__(self, away: Away) -> None:
        super().__init__()
        self._away = away

    async def move_pointer(
        self,
        entity: EntityRef,
        *,
        to: str,
        source_etag: str,
        expected: SitePointer | None,
        now: datetime,
        cause: Cause = Cause(),  # noqa: B008 - it does not change
        fence: BuildFence | None = None,
    ) -> SitePointer:
        self._away.before()
        moved = await super().move_pointer(
            entity, to=to, source_etag=source_etag, expected=expected, now=now, cause=cause, fence=fence
        )
        self._away.after()
        return moved


async def journal_of(records: MemoryBuildRecords, patience: Patience) -> BuildJournal:
    build = await records.create_build(queued(SITE))
    return BuildJournal(build, records=records, events=BuildEvents(records), clock=SystemClock(), patience=patience)


LOST = pytest.mark.parametrize("after", [False, True], ids=["refused", "answer lost"])


@LOST
async def test_build_waits_for_its_records_at_every_change_of_state(after: bool) -> None:
    for state in (BuildState.PREPARING, BuildState.FAILED):
        records = AwayBuilds(Away(3, after=after))
        journal = await journal_of(records, SOME)
        journal.say("before")
        await journal.move(state)
        journal.say("after")
        if not state.is_final:
            await journal.move(BuildState.GENERATING)
        found = await records.build(journal.build.id)
        assert found is not None
        assert found.state is (state if state.is_final else BuildState.GENERATING)
        events = await records.events(found.id, after_sequence=0, limit=100)
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        assert len(events) == (2 if state.is_final else 4)


async def test_lines_that_come_while_an_answer_is_lost_are_stored_once() -> None:
    records = AwayBuilds(Away(1, after=True))
    journal = await journal_of(records, NONE)
    journal.say("one")
    with pytest.raises(StorageUnavailable):
        await journal.store()
    journal.say("two")
    await journal.store()
    events = await records.events(journal.build.id, after_sequence=0, limit=100)
    assert [event.sequence for event in events] == [1, 2]


@LOST
async def test_what_a_user_asks_for_fails_at_once(after: bool) -> None:
    with pytest.raises(StorageUnavailable):
        await (await journal_of(AwayBuilds(Away(1, after=after)), NONE)).move(BuildState.PREPARING)
    with pytest.raises(StorageUnavailable):
        await committed(AwaySites(Away(1, after=after)), NONE, b"page")


async def test_patience_ends() -> None:
    began = asyncio.get_running_loop().time()
    with pytest.raises(StorageUnavailable):
        await (await journal_of(AwayBuilds(Away(10_000, after=False)), Patience(0.2, 0.01))).move(BuildState.PREPARING)
    assert 0.1 < asyncio.get_running_loop().time() - began < 2


async def committed(sites: MemorySiteRecords, patience: Patience, page: bytes) -> Published:
    blobs = MemoryBlobStore()
    committer = RevisionCommitter(sites, blobs, sites.sweeping.leases, SystemClock(), patience)
    digest = await stored(blobs, page)
    files = {"index.html": digest}
    new = NewRevision(SITE, files, "Docs", "", page.decode(), "builds/1", expected=None)
    return (await committer.commit(new, cause=Cause()))[0]


@LOST
async def test_publish_of_a_build_waits_for_its_records_and_happens_once(after: bool) -> None:
    sites = AwaySites(Away(3, after=after))
    published = await committed(sites, SOME, b"page")
    pointer = await sites.pointer(SITE)
    assert pointer is not None
    assert (pointer.revision, pointer.version) == (published.revision, 1)


async def test_publish_that_lost_while_it_waited_is_told() -> None:
    sites = AwaySites(Away(1, after=True))
    with pytest.raises(StorageUnavailable):
        await committed(sites, NONE, b"other")
    sites._away = Away(1, after=False)
    with pytest.raises(RevisionConflict):
        await committed(sites, SOME, b"page")
    pointer = await sites.pointer(SITE)
    assert pointer is not None
    assert pointer.source_etag == "other"
