"""Readers see one revision at a time, whatever is built, published and rolled back meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from techdocs.v1 import builds_pb2, docs_pb2, sites_pb2

from tests.integration.readers import Moves, Reader, RESTReader, StreamReader, UnaryReader
from tests.support.generated_site import MARKED_PAGES, marked_pages
from tests.support.rpc_client import Client, collected, component, connected
from tests.support.services import RunningService, running
from tests.support.sites import entity_document, write_catalog, write_files, write_site
from tests.support.waiting import eventually

DEMO = component("demo")
GENERATIONS = 3
PATHS = (
    "index.html",
    *(f"page{number}/index.html" for number in range(1, MARKED_PAGES)),
    "assets/mark.txt",
    "search/search_index.json",
)


def mark(generation: int) -> str:
    return f"generation-{generation}-of-the-site"


async def sync(client: Client) -> str:
    answer = await client.builds.SyncSite(builds_pb2.SyncSiteRequest(entity=DEMO))
    assert answer.updated
    return answer.revision


async def roll_back(client: Client, revision: str) -> str:
    request = sites_pb2.RollbackSiteRequest(entity=DEMO, revision=revision)
    return (await client.sites.RollbackSite(request)).site.current_revision


@asynccontextmanager
async def polling(service: RunningService, moves: Moves, first: str) -> AsyncIterator[list[Reader]]:
    """Poll with readers of every kind until the context ends, each over a connection of its own."""
    async with AsyncExitStack() as stack:

        async def rest() -> httpx.AsyncClient:
            return await stack.enter_async_context(httpx.AsyncClient(base_url=service.rest, timeout=30))

        async def rpc() -> Client:
            return await stack.enter_async_context(connected(service.grpc))

        docs, static = "/docs/default/component/demo", "/api/techdocs/static/docs/default/component/demo"
        readers: list[Reader] = [
            RESTReader(PATHS, moves, client=await rest(), base=docs),
            RESTReader(PATHS, moves, client=await rest(), base=docs, conditional=True),
            RESTReader(PATHS[::-1], moves, client=await rest(), base=static),
            RESTReader(PATHS, moves, first, client=await rest(), base=docs),
            UnaryReader(PATHS, moves, client=await rpc(), entity=DEMO),
            UnaryReader(PATHS, moves, first, client=await rpc(), entity=DEMO),
            StreamReader(PATHS[::-1], moves, client=await rpc(), entity=DEMO),
            StreamReader(PATHS, moves, first, client=await rpc(), entity=DEMO),
        ]
        tasks = [asyncio.create_task(reader.run()) for reader in readers]
        try:
            yield readers
        finally:
            for reader in readers:
                reader.stop()
            await asyncio.gather(*tasks)


async def settled_reads(readers: list[Reader]) -> None:
    """Wait until every reader has read everything once more."""
    before = [len(reader.sights) for reader in readers]
    await eventually(
        lambda: all(len(reader.sights) - count > len(PATHS) for reader, count in zip(readers, before, strict=True)),
        timeout_seconds=60,
        what="every reader has read the whole site",
    )


async def known_bytes(client: Client, revision: str, generation: int) -> Mapping[str, str]:
    """Return the digest of every path in a revision, sure that each carries the mark of its generation alone."""
    found = {}
    for path in PATHS:
        request = docs_pb2.ReadContentRequest(entity=DEMO, path=path, revision=revision)
        messages = await collected(client.docs.ReadContent(request))
        text = b"".join(message.body.data for message in messages).decode()
        marks = {other for other in range(GENERATIONS) if mark(other) in text}
        assert marks == {generation}, f"{path} of generation {generation} speaks of {marks}"
        found[path] = messages[0].info.sha256
    return found


def check_order(reader: Reader, moves: Moves) -> None:
    """Assert that a reader saw the moves in their order, each while it could be seen."""
    at = 0
    for sight in reader.sights:
        at = max(at, sight.earliest)
        while at <= sight.latest and moves.revisions[at] != sight.revision:
            at += 1
        assert at <= sight.latest, f"{sight} is neither the revision before nor one that came after it"


@pytest.mark.slow
async def test_every_answer_is_of_exactly_one_revision_and_none_goes_back_by_itself(tmp_path: Path) -> None:
    folder = write_site(tmp_path / "catalog" / "demo", pages=marked_pages(mark(0)))
    write_catalog(folder, {"catalog-info.yaml": entity_document("demo")})
    moves = Moves()
    async with (
        running("serve", tmp_path / "run", catalog=tmp_path / "catalog") as service,
        connected(service.grpc) as writer,
    ):
        revisions = [await moves.make(lambda: sync(writer))]
        async with polling(service, moves, revisions[0]) as readers:
            for generation in range(1, GENERATIONS):
                await settled_reads(readers)
                write_files(folder, marked_pages(mark(generation)))
                revisions.append(await moves.make(lambda: sync(writer)))
            for turn in range(12):
                target = revisions[turn % GENERATIONS]
                assert await moves.make(lambda target=target: roll_back(writer, target)) == target  # type: ignore[misc] # a default binds it now
                await asyncio.sleep(0)
            await settled_reads(readers)
        assert len(set(revisions)) == GENERATIONS
        known = {
            revision: await known_bytes(writer, revision, generation) for generation, revision in enumerate(revisions)
        }
    assert [failure for reader in readers for failure in reader.failures] == []
    for reader in readers:
        assert all(sight.sha256 == known[sight.revision][sight.path] for sight in reader.sights)
        seen = {sight.revision for sight in reader.sights}
        if reader.revision:
            assert seen == {reader.revision}
        else:
            assert seen == set(revisions)
            check_order(reader, moves)
