"""Serving pages: readers of a whole site, one page of about 70 KB, and pages from S3.

Readers, with authentication on and 32 connections, beside techdocs-backend of Backstage and beside nginx: pages,
metadata, search-index, not-modified, p99, memory (see `readers`). One page with 8 connections and no
authentication, beside nginx: rest (GET /static/docs/... through the bridge), grpc
(DocsService.GetContent). Pages that nobody read before: cold-s3 and
cold-s3-ten, beside a bare S3 client (see `cold_reads`).
Needs nginx, wrk, h2load, node and npm (Debian: nginx-light, wrk, nghttp2-client, nodejs, npm). The service is one
process in all of them, and everything listens on loopback.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import struct
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import grpc
from techdocs.v1 import builds_pb2, builds_pb2_grpc, docs_pb2, docs_pb2_grpc, entity_pb2

from benchmarks import cold_reads, readers
from benchmarks.nginx_server import nginx
from benchmarks.pairs import Options, Row, in_turn, options, report
from tests.support.services import running

CASES = ("rest", "grpc")
CONNECTIONS = 8
_PACKAGES = {"nginx": "nginx-light", "h2load": "nghttp2-client", "wrk": "wrk", "node": "nodejs", "npm": "npm"}
ENTITY = entity_pb2.EntityRef(kind="component", name="page")
PAGE = "index.html"
_RATE = re.compile(r"finished in [^,]+, ([0-9.]+) req/s")
_RESULT = re.compile(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout")


def write_source(folder: Path) -> None:
    """Write an entity whose front page is about 70 KB of HTML."""
    (folder / "docs").mkdir(parents=True)
    (folder / "catalog-info.yaml").write_text(
        "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: page\n"
        "  annotations:\n    backstage.io/techdocs-ref: dir:.\nspec: {type: service, owner: me, lifecycle: test}\n"
    )
    (folder / "mkdocs.yml").write_text("site_name: Page\nplugins: [techdocs-core]\n")
    paragraph = "Readers want the page now, and the newest one. " * 8
    sections = [f"## Section {number}\n\n{paragraph}\n\n- one\n- two\n" for number in range(75)]
    (folder / "docs" / "index.md").write_text("# A page\n\n" + "\n".join(sections))


async def load(arguments: Sequence[str], *, seconds: int) -> float:
    """Run h2load for some seconds and return the requests per second. Raises when any failed."""
    process = await asyncio.create_subprocess_exec(
        "h2load", "-t", "1", "-c", str(CONNECTIONS), "-D", str(seconds), *arguments, stdout=asyncio.subprocess.PIPE
    )
    output = (await process.communicate())[0].decode()
    rate, result = _RATE.search(output), _RESULT.search(output)
    if rate is None or result is None or int(result[1]) == 0 or any(int(result[n]) for n in (2, 3)):
        raise RuntimeError(f"h2load did not succeed:\n{output}")
    if not re.search(r"[1-9]\d* 2xx, 0 3xx, 0 4xx, 0 5xx", output):
        raise RuntimeError(f"not every answer was 2xx:\n{output}")
    return float(rate[1])


def framed(message: docs_pb2.GetContentRequest) -> bytes:
    """Return a message as gRPC puts it into a body: a flag, the length, the bytes."""
    payload = message.SerializeToString()
    return struct.pack(">BI", 0, len(payload)) + payload


async def publish(target: str) -> bytes:
    """Build the page and return it."""
    async with grpc.aio.insecure_channel(target) as channel:
        await builds_pb2_grpc.BuildServiceStub(channel).SyncSite(builds_pb2.SyncSiteRequest(entity=ENTITY), timeout=120)
        answer = await docs_pb2_grpc.DocsServiceStub(channel).GetContent(
            docs_pb2.GetContentRequest(entity=ENTITY, path=PAGE), timeout=10
        )
    page: bytes = answer.body.data
    return page


async def measure(chosen: Options) -> tuple[list[Row], int]:
    """Start everything, measure the cases, stop everything."""
    seconds, rounds = (3, 3) if chosen.quick else (6, 7)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        write_source(folder / "source")
        service = await stack.enter_async_context(
            running("serve", folder / "service", catalog=folder / "source" / "catalog-info.yaml", log_level="warning")
        )
        page = await publish(service.grpc)
        www = folder / "www"
        www.mkdir()
        (www / PAGE).write_bytes(page)
        peer_url = f"{await stack.enter_async_context(nginx(folder / 'nginx', www))}/{PAGE}"
        body = folder / "request"
        body.write_bytes(framed(docs_pb2.GetContentRequest(entity=ENTITY, path=PAGE)))
        cases = {
            "rest": ["--h1", f"{service.rest}/static/docs/default/component/page/{PAGE}"],
            "grpc": [
                "-H", "content-type: application/grpc", "-H", "te: trailers", "-d", str(body),
                f"http://{service.grpc}/techdocs.v1.DocsService/GetContent",
            ],
        }  # fmt: skip
        rows = [
            await in_turn(
                case,
                partial(load, arguments, seconds=seconds),
                partial(load, ["--h1", peer_url], seconds=seconds),
                rounds=rounds,
                better="higher",
            )
            for case, arguments in cases.items()
            if chosen.wants(case)
        ]
        return rows, len(page)


def need(*tools: str) -> None:
    """End with a message when a tool is missing."""
    if missing := [tool for tool in tools if shutil.which(tool) is None]:
        sys.exit(
            f"{' and '.join(missing)} must be installed (Debian: {', '.join(_PACKAGES[tool] for tool in missing)})"
        )


def one_page(chosen: Options) -> None:
    """Measure and print one page beside nginx."""
    need("nginx", "h2load")
    rows, size = asyncio.run(measure(chosen))
    report(rows, unit="req/s", peer=readers.NGINX, chosen=chosen)
    if not chosen.as_json:
        print(f"one page of {size} bytes, {CONNECTIONS} connections")


def whole_site(chosen: Options) -> None:
    """Measure and print what readers of a site get."""
    need("nginx", "wrk", "node", "npm")
    for (unit, peer), rows in asyncio.run(readers.measure(chosen)).items():
        if rows:
            report(rows, unit=unit, peer=peer, chosen=chosen)


def main() -> None:
    """Measure and print, each case in its own unit."""
    chosen = options(__doc__)
    known = (*readers.CASES, *CASES, *cold_reads.CASES)
    if not any(chosen.wants(case) for case in known):
        sys.exit(f"no case is named {chosen.only}; there are {', '.join(known)}")
    if any(chosen.wants(case) for case in readers.CASES):
        whole_site(chosen)
    if any(chosen.wants(case) for case in CASES):
        one_page(chosen)
    if any(chosen.wants(case) for case in cold_reads.CASES):
        report(asyncio.run(cold_reads.cold_reads(chosen)), unit="ms", peer=cold_reads.PEER, chosen=chosen)


if __name__ == "__main__":
    main()
