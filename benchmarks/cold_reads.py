"""Reading pages from S3 that nobody read before, beside a bare S3 client that reads objects of the same site.

One of two neighbouring pages is read through the server, of the other its object, so
that size and kind are the same: an S3 server may compress what can be compressed.
Requests are made one after the other, so what is compared is the time of one. Every
page is read once. Only the manifest of the site is in the server's memory, as it is
after the first request for any page.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from time import perf_counter

from minio import Minio
from techdocs.v1 import docs_pb2

from benchmarks.built_site import ServedSource, corpus, served
from benchmarks.pairs import Row, in_turn
from benchmarks.s3_server import settings_for
from tests.support.seaweedfs import BUCKET, seaweedfs

CASE, PEER = "cold-s3", "minio get_object"
_TARGET = 2.0
_READS = 10
"""In each round, of ours and of the other."""
_PAGES_OF_FOLDERS = 0.9
"""Of the pages of a source, those that are sure to be in the site as an index.html of their own."""
_MILLISECONDS = 1000


async def cold_reads(*, rounds: int) -> Row:
    """Measure, in milliseconds for one page."""
    # One round more is not counted.
    wanted = 2 * (rounds + 1) * _READS
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
            return await _compared(site, server.client, pages, rounds)


async def _compared(site: ServedSource, client: Minio, pages: Sequence[docs_pb2.ContentInfo], rounds: int) -> Row:
    unread, unread_objects = iter(pages[::2]), iter(pages[1::2])

    async def ours() -> float:
        began = perf_counter()
        for page in islice(unread, _READS):
            _check(await site.content(page.path), page)
        return (perf_counter() - began) / _READS * _MILLISECONDS

    async def peer() -> float:
        began = perf_counter()
        for page in islice(unread_objects, _READS):
            with client.get_object(BUCKET, f"blobs/{page.sha256[:2]}/{page.sha256}") as answer:
                _check(answer.read(), page)
        return (perf_counter() - began) / _READS * _MILLISECONDS

    return await in_turn(CASE, ours, peer, rounds=rounds, better="lower", target=_TARGET)


def _check(content: bytes, page: docs_pb2.ContentInfo) -> None:
    if len(content) != page.size_bytes:
        raise RuntimeError(f"{page.path} has {len(content)} bytes, not {page.size_bytes}")
