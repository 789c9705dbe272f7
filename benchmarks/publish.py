"""Publishing a site of about 450 files to S3, beside Backstage's techdocs-cli on the same server.

Cases: first-450 (a site of which nothing is stored yet, from files on the disk to
the moved pointer), edit-450 (the same site with one page changed), requests-450
(how many requests the S3 server answers for that). Needs node and npm; installs
techdocs-cli once. Its start counts: whoever publishes with it waits for it, while our
publisher is part of a server that is up.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from techdocs_server.adapters.clock import SystemClock
from techdocs_server.adapters.records.sql_leases import SqlBlobLeases
from techdocs_server.adapters.records.sql_sites import SqlSiteRecords
from techdocs_server.adapters.site_files.local import LocalSiteFiles
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.site import SitePointer
from techdocs_server.ports.generator import GeneratedSite
from techdocs_server.services.publishing import Publisher, SiteToPublish
from techdocs_server.services.reading import SiteReader

from benchmarks.built_site import corpus, plain_build_into
from benchmarks.pairs import Options, Row, beside, in_turn, options, report
from benchmarks.s3_server import answered
from benchmarks.techdocs_cli import NAME, TechDocsCLI
from tests.support.seaweedfs import SeaweedFS, seaweedfs
from tests.support.stores import open_database, s3_store

PAGES = 390
"""With what belongs to the theme, about 450 files."""
_ENTITY = EntityRef("default", "component", "site")
_OURS, _PEERS = "ours", "peers"
# 25 GB: every first publish of either side stores the whole site once more.
_VOLUMES = 400
_LARGEST_SITE_BYTES, _MOST_FILES = 1024**3, 10_000
_TARGETS = {"first-450": 0.7, "edit-450": 0.05, "requests-450": 0.05}


@dataclass
class _Ours:
    """Our publisher over S3 and SQLite, of a site that is nowhere yet."""

    publisher: Publisher
    records: SqlSiteRecords
    files: LocalSiteFiles

    async def publish(self, site: Path) -> float:
        """Publish a folder; return the seconds. Raises `RuntimeError` when nothing new was published."""
        began = perf_counter()
        expected: SitePointer | None = await self.records.pointer(_ENTITY)
        # No file is said to be reused: each is read from the disk, as techdocs-cli does.
        wanted = SiteToPublish(_ENTITY, site, GeneratedSite("Site", ""), f"etag-{began}", "build", expected)
        published = await self.publisher.publish(wanted)
        seconds = perf_counter() - began
        if not published.updated:
            raise RuntimeError("nothing new was published")
        return seconds


@asynccontextmanager
async def _ours(server: SeaweedFS, prefix: str) -> AsyncIterator[_Ours]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="techdocs-records-")))
        database = await stack.enter_async_context(open_database(folder))
        records = SqlSiteRecords(database)
        blobs = s3_store(server.endpoint, bucket=_OURS, prefix=prefix)
        stack.push_async_callback(blobs.close)
        await blobs.check()
        files = LocalSiteFiles(max_bytes=_LARGEST_SITE_BYTES, max_files=_MOST_FILES)
        stack.callback(files.close)
        reader, leases = SiteReader(records, blobs), SqlBlobLeases(database)
        yield _Ours(Publisher(records, blobs, files, reader, leases, SystemClock()), records, files)


class _Cases:
    def __init__(self, site: Path, server: SeaweedFS, cli: TechDocsCLI, rounds: int) -> None:
        self._site = site
        self._server = server
        self._cli = cli
        self._rounds = rounds
        self._firsts = 0
        self._edits = 0

    async def first(self) -> Row:
        """Measure publishing what is nowhere yet."""

        async def ours() -> float:
            self._firsts += 1
            async with _ours(self._server, f"{self._firsts}/") as publisher:
                return await publisher.publish(self._site)

        async def peer() -> float:
            return await self._publish(f"site-{self._firsts}")

        return await self._in_turn("first-450", ours, peer)

    async def edits(self, chosen: Options) -> tuple[list[Row], list[Row]]:
        """Measure publishing one changed page: return the rows in seconds, and those in requests."""
        async with _ours(self._server, "edited/") as publisher:
            await publisher.publish(self._site)
            await self._publish("edited")

            async def ours() -> float:
                self._edit()
                return await publisher.publish(self._site)

            async def peer() -> float:
                self._edit()
                return await self._publish("edited")

            seconds = [await self._in_turn("edit-450", ours, peer)] if chosen.wants("edit-450") else []
            if not chosen.wants("requests-450"):
                return seconds, []
            counts = await self._requests(_OURS, ours), await self._requests(_PEERS, peer)
            return seconds, [beside("requests-450", *counts, target=_TARGETS["requests-450"], better="lower")]

    def _edit(self) -> None:
        self._edits += 1
        pages = sorted(self._site.rglob("index.html"))
        with pages[len(pages) // 2].open("a") as page:
            page.write(f"<!-- edited {self._edits} times -->\n")

    async def _publish(self, name: str) -> float:
        return await self._cli.publish(self._site, self._server, bucket=_PEERS, name=name)

    async def _requests(self, bucket: str, publish: Callable[[], Awaitable[float]]) -> int:
        before = answered(self._server, bucket=bucket)
        await publish()
        return answered(self._server, bucket=bucket) - before

    async def _in_turn(
        self, case: str, ours: Callable[[], Awaitable[float]], peer: Callable[[], Awaitable[float]]
    ) -> Row:
        return await in_turn(case, ours, peer, rounds=self._rounds, better="lower", target=_TARGETS[case])


async def measure(chosen: Options) -> dict[str, list[Row]]:
    """Build the site, start the S3 server, measure; return the rows by their unit."""
    if not any(chosen.wants(case) for case in _TARGETS):
        return {}
    cli = TechDocsCLI.installed()
    rows: dict[str, list[Row]] = {"s": [], "requests": []}
    with tempfile.TemporaryDirectory(prefix="techdocs-publish-") as name:
        folder = Path(name)
        with corpus(PAGES) as source:
            await plain_build_into(source, folder / "site")
        with seaweedfs(folder / "s3", volumes=_VOLUMES) as server:
            for bucket in (_OURS, _PEERS):
                server.make_bucket(bucket)
            cases = _Cases(folder / "site", server, cli, rounds=1 if chosen.quick else 5)
            if chosen.wants("first-450"):
                rows["s"].append(await cases.first())
            if chosen.wants("edit-450") or chosen.wants("requests-450"):
                seconds, requests = await cases.edits(chosen)
                rows["s"] += seconds
                rows["requests"] += requests
    return {unit: found for unit, found in rows.items() if found}


def main() -> None:
    """Measure and print, each case in its own unit."""
    chosen = options(__doc__)
    for unit, rows in (asyncio.run(measure(chosen)) or {"s": []}).items():
        report(rows, unit=unit, peer=NAME, chosen=chosen)


if __name__ == "__main__":
    main()
