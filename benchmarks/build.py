"""Building: a cold sync, from the call until the site is readable, against plain ``mkdocs build``.

Cases: manual (this project's own docs/). Every cold sync has an empty data
directory; the server is up before the clock starts, as it is for users.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import grpc
from techdocs.v1 import builds_pb2, builds_pb2_grpc, entity_pb2

from benchmarks.pairs import Options, Row, in_turn, options, report
from tests.support.services import running

ROOT = Path(__file__).resolve().parent.parent
ENTITY = entity_pb2.EntityRef(kind="component", name="techdocs-service")


async def cold_sync() -> float:
    """Return the seconds of one sync on an empty data directory."""
    with tempfile.TemporaryDirectory() as folder:
        catalog = ROOT / "catalog-info.yaml"
        async with (
            running("server", Path(folder), catalog=catalog, log_level="warning") as service,
            grpc.aio.insecure_channel(service.grpc) as channel,
        ):
            await channel.channel_ready()
            began = time.perf_counter()
            answer = await builds_pb2_grpc.BuildServiceStub(channel).SyncSite(
                builds_pb2.SyncSiteRequest(entity=ENTITY), timeout=300
            )
            took = time.perf_counter() - began
            if not answer.updated:
                raise RuntimeError("the sync built nothing")
            return took


async def plain_build() -> float:
    """Return the seconds of ``mkdocs build`` in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", folder, cwd=ROOT
        )
        if await process.wait() != 0:
            raise RuntimeError("mkdocs build failed")
        return time.perf_counter() - began


async def measure(chosen: Options) -> list[Row]:
    """Measure the cases."""
    rounds = 3 if chosen.quick else 9
    cases = {"manual": (cold_sync, plain_build)}
    return [
        await in_turn(case, ours, peer, rounds=rounds, better="lower")
        for case, (ours, peer) in cases.items()
        if chosen.wants(case)
    ]


def main() -> None:
    """Measure and print."""
    chosen = options(__doc__)
    report(asyncio.run(measure(chosen)), unit="s", peer="mkdocs build", chosen=chosen)


if __name__ == "__main__":
    main()
