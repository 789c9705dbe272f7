"""Variants that a running server makes beside its blobs."""

from __future__ import annotations

import gzip
import hashlib
import os
import time
from pathlib import Path

import brotli
import pytest
from techdocs.v1 import builds_pb2, docs_pb2

from tests.integration.build_control import building
from tests.support.postgresql import PostgreSQL
from tests.support.processes import compressors_of
from tests.support.replicas import replicas
from tests.support.rpc_client import component
from tests.support.seaweedfs import SeaweedFS
from tests.support.waiting import eventually

_HEADER_BYTES = 44


def variants(data: Path, encoding: str) -> dict[str, bytes]:
    """Return the variants that are kept, by the SHA-256 of what they were made of."""
    files = {path.parent.name + path.name: path.read_bytes() for path in (data / "variants" / encoding).glob("*/*")}
    return {name: content[_HEADER_BYTES:] for name, content in files.items() if len(content) > _HEADER_BYTES}


async def test_a_published_site_gets_variants_that_decode_to_its_files(tmp_path: Path) -> None:
    async with building(tmp_path) as site:
        site.add("demo")
        await site.sync("demo")
        page = hashlib.sha256((await site.page("demo")).encode()).hexdigest()
        await eventually(lambda: page in variants(site.data, "gzip"), timeout_seconds=60, what="the page's variants")
        server = site.service.process.pid
        await eventually(lambda: not compressors_of(server), timeout_seconds=60, what="everything to be compressed")
        for encoding, decoded in (("br", brotli.decompress), ("gzip", gzip.decompress)):
            kept = variants(site.data, encoding)
            assert page in kept
            for sha256, content in kept.items():
                assert hashlib.sha256(decoded(content)).hexdigest() == sha256
        assert "variants_made" in site.service.logged()


@pytest.mark.parametrize("ending", ["stopped", "killed"])
async def test_a_server_that_ends_while_it_compresses_leaves_no_process(tmp_path: Path, ending: str) -> None:
    async with building(tmp_path) as site:
        site.add("demo")
        # Some seconds of work: each takes about one.
        for number in range(4):
            site.catalog.write("demo", f"big-{number}.json", f'"{os.urandom(8_000_000).hex()}"')
        await site.sync("demo")
        server = site.service.process.pid
        [compressor] = await eventually(
            lambda: compressors_of(server), timeout_seconds=60, what="the compressor to run"
        ) or [0]
        began = time.monotonic()
        if ending == "stopped":
            assert await site.service.terminate() == 0
            assert time.monotonic() - began < 10
            assert [path for path in (site.data / "variants" / "tmp").rglob("*") if path.is_file()] == []
        else:
            await site.service.kill()
        await eventually(
            lambda: not Path(f"/proc/{compressor}").exists(), timeout_seconds=20, what="the compressor to end"
        )


async def test_a_server_that_builds_nothing_makes_the_variants_its_readers_ask_for(
    tmp_path: Path, s3_server: SeaweedFS, postgresql_server: PostgreSQL
) -> None:
    async with replicas(tmp_path, s3_server, postgresql_server) as site:
        site.add("demo", "unread")
        worker, server = await site.start("worker", "worker"), await site.start("server", "server")
        for name in ("demo", "unread"):
            await server.client.builds.SyncSite(builds_pb2.SyncSiteRequest(entity=component(name)), timeout=120)
        request = docs_pb2.GetContentRequest(
            entity=component("demo"), path="index.html", accept_encodings=[docs_pb2.CONTENT_ENCODING_BROTLI]
        )
        first = await server.client.docs.GetContent(request)
        assert (first.HasField("encoded"), first.body.data.endswith(b"</html>")) == (False, True)

        async def encoded() -> docs_pb2.GetContentResponse | None:
            answer = await server.client.docs.GetContent(request)
            return answer if answer.HasField("encoded") else None

        answer = await eventually(encoded, timeout_seconds=60, what="the page in a coding")
        assert answer is not None
        assert brotli.decompress(answer.body.data) == first.body.data
        # Nothing that nobody asked for, and nothing where nobody reads.
        assert len(variants(site.folder / "server" / "data", "br")) == 1
        assert not (site.folder / "worker" / "data" / "variants").exists()
        assert compressors_of(worker.service.process.pid) == []
