"""Several processes that publish one site at once, or stop in the middle: readers of each see whole revisions."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from techdocs_server.domain.errors import RevisionConflict, StorageUnavailable
from techdocs_server.services.committing import Published

from tests.support.postgresql import PostgreSQL
from tests.support.publishing_replicas import PublishingReplica, publishing_replicas
from tests.support.record_values import entity
from tests.support.seaweedfs import SeaweedFS
from tests.support.stopping import How, Stop
from tests.support.waiting import eventually

DEMO = entity("demo")
ROUNDS = 200
PACE_SECONDS = 0.01  # all share one event loop, which the publishers need too


@pytest.fixture
async def pair(
    s3_server: SeaweedFS, postgresql_server: PostgreSQL, tmp_path: Path
) -> AsyncIterator[list[PublishingReplica]]:
    async with publishing_replicas(2, s3_server, postgresql_server, f"{tmp_path.name}/") as made:
        yield made


def generation(number: int) -> dict[str, str]:
    """Return pages and an asset of a site, each with its mark; one page is the same in all."""
    mark = f"generation-{number}"
    pages = {path: f"{path} of {mark}" for path in ("index.html", "guide/index.html", "assets/mark.txt")}
    return {**pages, "about/index.html": "the same always"}


def is_whole(pages: dict[str, str]) -> bool:
    mark = pages["index.html"].rpartition(" ")[2]
    return pages == generation(int(mark.removeprefix("generation-")))


@dataclass
class Polling:
    """Reads a whole site again and again."""

    replica: PublishingReplica
    seen: list[str] = field(default_factory=list)
    mixed: list[dict[str, str]] = field(default_factory=list)

    async def run(self) -> None:
        while True:
            revision, pages = await self.replica.read(DEMO)
            await asyncio.sleep(PACE_SECONDS)
            if not self.seen or self.seen[-1] != revision:
                self.seen.append(revision)
            if not is_whole(pages):
                self.mixed.append(pages)


async def become(pair: list[PublishingReplica], number: int) -> str:
    """Wait until every replica serves a generation, and return its revision."""

    async def same() -> str | None:
        answers = [await replica.read(DEMO) for replica in pair]
        return answers[0][0] if all(pages == generation(number) for _, pages in answers) else None

    found = await eventually(same, timeout_seconds=5, what=f"every replica serves generation {number}")
    assert found is not None
    return found


async def publish(
    replica: PublishingReplica, root: Path, number: int, *, at: asyncio.Barrier | None = None
) -> Published:
    """Publish a generation over what the replica serves. Publishers with a barrier have all read that before one goes on."""
    expected = await replica.sites.pointer(DEMO)
    if at is not None:
        await at.wait()
    return await replica.publish(DEMO, root, generation(number), source=f"{number}", expected=expected)


@pytest.mark.slow
async def test_of_two_that_publish_at_once_one_wins_and_the_other_is_told(
    pair: list[PublishingReplica], tmp_path: Path
) -> None:
    roots = [tmp_path / "first", tmp_path / "second"]
    await publish(pair[0], roots[0], 0)
    await become(pair, 0)
    readers = [Polling(replica) for replica in pair]
    tasks = [asyncio.create_task(reader.run()) for reader in readers]
    winners, losers = Counter[int](), set[str]()
    try:
        for turn in range(ROUNDS):
            older, newer = 2 * turn + 1, 2 * turn + 2
            order = (older, newer) if turn % 2 else (newer, older)
            barrier = asyncio.Barrier(2)
            answers = await asyncio.gather(
                *(publish(pair[which], roots[which], order[which], at=barrier) for which in (0, 1)),
                return_exceptions=True,
            )
            won = 0 if isinstance(answers[0], Published) else 1
            winner, told = answers[won], answers[1 - won]
            assert isinstance(winner, Published), answers
            assert isinstance(told, RevisionConflict), answers
            winners[won] += 1
            assert await become(pair, order[won]) == winner.revision
            if order[won] == older:
                # Whoever lost with the newer source syncs again, and has the last word.
                await publish(pair[1 - won], roots[1 - won], newer)
                await become(pair, newer)
            else:
                losers.add(str(older))
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ended), ended
    assert [reader.mixed for reader in readers] == [[], []]
    assert all(len(set(reader.seen)) > ROUNDS / 2 for reader in readers), "the readers must see what happens"
    assert all(len(set(reader.seen)) == len(reader.seen) for reader in readers), (
        "no reader may see a revision come back"
    )
    known = await pair[0].sites.revisions(DEMO, after=None, limit=1000)
    assert len(known) == 1 + 2 * ROUNDS - len(losers)
    assert not losers & {revision.source_etag for revision in known}, "nothing of a loser may be visible"
    assert min(winners[0], winners[1]) > 0, "neither replica may always win"


HOWS: tuple[How, ...] = ("fails", "is cancelled", "is cancelled in the call")


@pytest.mark.parametrize("how", HOWS)
async def test_publish_stopped_at_any_call_leaves_a_whole_revision_and_no_litter(
    pair: list[PublishingReplica], tmp_path: Path, how: How
) -> None:
    writer, other = pair
    root = tmp_path / "site"
    await publish(writer, root, 0)
    current, number, stops = 0, 0, 0
    while True:
        await become(pair, current)
        number += 1
        expected = await writer.sites.pointer(DEMO)
        stop = Stop(stops + 1, how)
        attempt = asyncio.create_task(
            writer.publish(
                DEMO,
                root,
                generation(number),
                source=f"{number}",
                expected=expected,
                wrap_blobs=stop.of,
                wrap_sites=stop.of,
                wrap_leases=stop.of,
            )
        )
        (ended,) = await asyncio.gather(attempt, return_exceptions=True)
        if not stop.was_due:
            assert isinstance(ended, Published)
            current = number
            break
        stops += 1
        assert isinstance(ended, StorageUnavailable if how == "fails" else asyncio.CancelledError), ended
        # Only a move that was begun may have happened all the same.
        seen = [(await replica.read(DEMO))[1] for replica in pair]
        allowed = [generation(current)] + ([generation(number)] if how == HOWS[2] else [])
        assert all(pages in allowed for pages in seen), (stops, seen)
        if stops % 2 and how != HOWS[2]:
            continue  # nobody ever tries that one again
        # Of another process that has heard of everything. Should the move have happened, the site is as it is to be.
        other.sites.found()
        await publish(other, root, number)
        current = number
    # The revision before, its manifest, a lease, three files, metadata, manifest, revision, pointer.
    assert stops >= 8
    await become(pair, current)
    world = writer.world()
    world.end_leases()
    await world.collect()
    revisions = await writer.sites.revisions(DEMO, after=None, limit=1000)
    live: set[str] = set()
    for revision in revisions:
        live |= await world.needed(DEMO, revision.revision)
    assert await world.stored() == live
