"""Reading pages from S3 that nobody read before, beside a bare S3 client that reads objects of the same site.

One of two neighbouring pages is read through the server, of the other its object, so
that size and kind are the same: an S3 server may compress what can be compressed.
Every page is read once. Only the manifest of the site is in the server's memory, as it
is after the first request for any page.

Two cases, both of one request at a time. *cold-s3* is the time of one page: a read of
ours, a read of the peer, and so on, so that neither finds an S3 server that the same
reader has just kept awake. *cold-s3-ten* is ten pages, one directly after the other: the
peer, which has fewer processes to wake, gains more by that.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from time import perf_counter

from minio import Minio
from techdocs.v1 import docs_pb2

from benchmarks.built_site import ServedSource, corpus, served
from benchmarks.pairs import Options, Row, in_turn
from benchmarks.s3_server import settings_for
from tests.support.seaweedfs import BUCKET, seaweedfs

ONE, TEN, PEER = "cold-s3", "cold-s3-ten", "minio get_object"
CASES = (ONE, TEN)
_TARGET = 2.0
_TEN = 10
_PAGES_OF_FOLDERS = 0.9
"""Of the pages of a source, those that are sure to be in the site as an index.html of their own."""
_MILLISECONDS = 1000


async def cold_reads(chosen: Options) -> list[Row]:
    """Measure, in milliseconds for one page."""
    ones, tens = (50, 3) if chosen.quick else (150, 7)
    # One round more of each is not counted.
    wanted = 2 * ((ones + 1) + (tens + 1) * _TEN)
    with (
        corpus(int(wanted / _PAGES_OF_FOLDERS)) as source,
        tempfile.TemporaryDirectory(prefix="techdocs-s3-") as folder,
        seaweedfs(Path(folder)) as server,
    ):
        server.make_bucket(BUCKET)
        # Compressed in the background, pages would take processor time from both.
        async with served(source, **settings_for(server, BUCKET), compress_variants=False) as site:
            await site.sync()
            pages = [content for content in await site.contents() if content.path.endswith("/index.html")]
            if len(pages) < wanted:
                raise RuntimeError(f"the site has {len(pages)} pages, of which {wanted} are wanted")
            await site.content("index.html")
            reads = _Reads(site, server.client, pages)
            rows = [await reads.compared(ONE, count=1, rounds=ones, target=_TARGET)] if chosen.wants(ONE) else []
            return rows + ([await reads.compared(TEN, count=_TEN, rounds=tens)] if chosen.wants(TEN) else [])


class _Reads:
    """Pages that were not read yet, half of them for each side."""

    def __init__(self, site: ServedSource, client: Minio, pages: Sequence[docs_pb2.ContentInfo]) -> None:
        self._site = site
        self._client = client
        self._unread, self._unread_objects = iter(pages[::2]), iter(pages[1::2])

    async def compared(self, case: str, *, count: int, rounds: int, target: float | None = None) -> Row:
        """Read so many pages of each side in turn; return the row of one page."""
        ours, peer = partial(self._ours, count), partial(self._peer, count)
        return await in_turn(case, ours, peer, rounds=rounds, better="lower", target=target)

    async def _ours(self, count: int) -> float:
        began = perf_counter()
        for page in islice(self._unread, count):
            _check(await self._site.content(page.path), page)
        return (perf_counter() - began) / count * _MILLISECONDS

    async def _peer(self, count: int) -> float:
        began = perf_counter()
        for page in islice(self._unread_objects, count):
            with self._client.get_object(BUCKET, f"blobs/{page.sha256[:2]}/{page.sha256}") as answer:
                _check(answer.read(), page)
        return (perf_counter() - began) / count * _MILLISECONDS


def _check(content: bytes, page: docs_pb2.ContentInfo) -> None:
    if len(content) != page.size_bytes:
        raise RuntimeError(f"{page.path} has {len(content)} bytes, not {page.size_bytes}")
