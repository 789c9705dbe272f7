"""What asking and isolating cost.

Cases: isolation (a build of one page in isolation, against the same child
without any; target: 150 ms more at most, shown as the ratio and in the last line),
forked (the same build in isolation, forked from a loaded process, against one in a
new process, both isolated), joins (forced syncs made at once, which share one build: answers per second, the
build included, against plain reads of a build's record).
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import grpc
from techdocs.v1 import builds_pb2, builds_pb2_grpc, entity_pb2
from techdocs_server.adapters.generators.isolation import IsolationPolicy
from techdocs_server.adapters.generators.mkdocs import MkDocsGenerator
from techdocs_server.ports.generator import GenerateRequest
from techdocs_server.sandbox.isolation.plan import ALL_LAYERS, Layer

from benchmarks.pairs import Options, Row, in_turn, options, report
from tests.support.launchers import preloaded
from tests.support.services import running
from tests.support.sites import write_source

NAME = "page"
ENTITY = entity_pb2.EntityRef(kind="component", name=NAME)
CALLS = 200


async def one_build(generator: MkDocsGenerator, seconds: list[float]) -> float:
    """Return the seconds of one build of one page, and note them."""
    with tempfile.TemporaryDirectory() as folder:
        tree, output = Path(folder, "tree"), Path(folder, "output")
        write_source(tree, name=NAME)
        output.mkdir()
        began = time.perf_counter()
        await generator.generate(GenerateRequest(tree, output, "Page", 60), log=lambda _: None)
        seconds.append(time.perf_counter() - began)
        return seconds[-1]


async def per_second(call: Callable[[], Awaitable[object]]) -> float:
    """Return how many calls a second are answered when all are made at once."""
    began = time.perf_counter()
    await asyncio.gather(*(call() for _ in range(CALLS)))
    return CALLS / (time.perf_counter() - began)


async def joins(chosen: Options) -> Row:
    """Measure syncs that join one build, each round another, from asking to the shared result."""
    with tempfile.TemporaryDirectory() as folder:
        catalog = write_source(Path(folder, "source"), name=NAME)
        async with (
            running("server", Path(folder), catalog=catalog, log_level="warning") as service,
            grpc.aio.insecure_channel(service.grpc) as channel,
        ):
            stub = builds_pb2_grpc.BuildServiceStub(channel)
            first = await stub.SyncSite(builds_pb2.SyncSiteRequest(entity=ENTITY), timeout=60)
            sync = partial(stub.SyncSite, builds_pb2.SyncSiteRequest(entity=ENTITY, force=True), timeout=60)
            read = partial(stub.GetBuild, builds_pb2.GetBuildRequest(name=first.build), timeout=60)
            rounds = 3 if chosen.quick else 7
            return await in_turn(
                "joins", partial(per_second, sync), partial(per_second, read), rounds=rounds, better="higher"
            )


async def isolation(chosen: Options) -> tuple[Row, float]:
    """Measure a build in isolation and without."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        isolated = MkDocsGenerator(temporary_directory=folder)
        plain = MkDocsGenerator(temporary_directory=folder, isolation=IsolationPolicy(layers=frozenset()))
        ours: list[float] = []
        peer: list[float] = []
        # Neither is preloaded: what isolating costs would hide behind what loading saves.
        row = await in_turn(
            "isolation",
            partial(one_build, isolated, ours),
            partial(one_build, plain, peer),
            rounds=5 if chosen.quick else 15,
            better="lower",
        )
        return row, statistics.median(mine - theirs for mine, theirs in zip(ours, peer, strict=True))


async def forked(chosen: Options) -> Row:
    """Measure a build that is forked from a loaded process, against one in a new process."""
    with tempfile.TemporaryDirectory() as scratch:
        # Bubblewrap starts a process for each build: it is left out on both sides.
        policy = IsolationPolicy(layers=ALL_LAYERS - {Layer.BUBBLEWRAP})
        loaded = MkDocsGenerator(temporary_directory=Path(scratch), isolation=policy)
        unloaded = MkDocsGenerator(temporary_directory=Path(scratch), isolation=policy)
        try:
            await preloaded(loaded)
            return await in_turn(
                "forked",
                partial(one_build, loaded, []),
                partial(one_build, unloaded, []),
                rounds=5 if chosen.quick else 15,
                better="lower",
            )
        finally:
            await loaded.close()


async def measure(chosen: Options) -> None:
    """Measure and print, each case in its own unit."""
    if chosen.wants("isolation"):
        row, added = await isolation(chosen)
        report([row], unit="s", peer="plain child", chosen=chosen)
        if not chosen.as_json:
            print(f"isolation adds {added * 1000:.0f} ms to a build of one page (target: 150 ms at most)")
    if chosen.wants("forked"):
        report([await forked(chosen)], unit="s", peer="new process", chosen=chosen)
    if chosen.wants("joins"):
        report([await joins(chosen)], unit="calls/s", peer="GetBuild", chosen=chosen)


def main() -> None:
    """Measure and print."""
    asyncio.run(measure(options(__doc__)))


if __name__ == "__main__":
    main()
