"""The cases of a large site whose contents are in S3, beside Backstage's techdocs-cli with the same S3 server.

What techdocs-cli does when nothing changed is what it does always: build the site, and
publish every file of it. One run of it is beside both rows.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.built_site import ServedSource, Source, corpus, served
from benchmarks.pairs import Row, beside
from benchmarks.s3_server import answered, settings_for
from benchmarks.techdocs_cli import TechDocsCLI
from tests.support.seaweedfs import SeaweedFS, seaweedfs

UNCHANGED_TARGET = 0.005
OBJECTS_TARGET = 12
_OURS, _PEERS = "ours", "peers"
# 12 GB. 1,600 pages are 1.1 GB, and techdocs-cli publishes them twice.
_VOLUMES = 200


@dataclass(frozen=True, slots=True)
class Generated:
    """What techdocs-cli took to build a site and publish it where it is already, and how many objects it wrote."""

    seconds: float
    objects: int


async def generated(source: Source, server: SeaweedFS) -> Generated:
    """Build and publish with techdocs-cli. The source is copied: techdocs-cli writes its mkdocs.yml anew."""
    cli = TechDocsCLI.installed()
    with tempfile.TemporaryDirectory(prefix="techdocs-generated-") as name:
        copy, site = Path(name, "source"), Path(name, "site")
        shutil.copytree(source.folder, copy)
        building = await cli.generate(copy, site)
        # The first time is not counted: nothing is to have changed since.
        await cli.publish(site, server, bucket=_PEERS, name="site")
        before = answered(server, bucket=_PEERS, kind="PUT")
        publishing = await cli.publish(site, server, bucket=_PEERS, name="site")
        return Generated(building + publishing, answered(server, bucket=_PEERS, kind="PUT") - before)


async def stored(pages: int, wants: Callable[[str], bool], *, rounds: int) -> AsyncIterator[tuple[str, Row]]:
    """Yield the rows, each with its unit, all from one server and one run of techdocs-cli."""
    unchanged, objects = f"unchanged-{pages}", f"objects-{pages}"
    if not wants(unchanged) and not wants(objects):
        return
    with (
        corpus(pages) as source,
        tempfile.TemporaryDirectory(prefix="techdocs-s3-") as folder,
        seaweedfs(Path(folder), volumes=_VOLUMES) as server,
    ):
        for bucket in (_OURS, _PEERS):
            server.make_bucket(bucket)
        peer = await generated(source, server)
        async with served(source, **settings_for(server, _OURS)) as site:
            await site.sync()
            if wants(unchanged):
                seconds = statistics.median([await site.unchanged() for _ in range(rounds)])
                yield "s", beside(unchanged, seconds, peer.seconds, target=UNCHANGED_TARGET, better="lower")
            if wants(objects):
                added = await _added(site, server)
                target = round(OBJECTS_TARGET / peer.objects, 4)
                yield "objects", beside(objects, added, peer.objects, target=target, better="lower")


async def _added(site: ServedSource, server: SeaweedFS) -> int:
    """Return how many objects an edit adds. The edit before is not counted: a build after it has what builds leave."""
    await site.edit()
    before = _objects(server)
    await site.edit()
    return _objects(server) - before


def _objects(server: SeaweedFS) -> int:
    return sum(1 for _ in server.client.list_objects(_OURS, recursive=True))
