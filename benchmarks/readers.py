"""Readers of a built site, with authentication on: ours beside techdocs-backend of Backstage, and beside nginx.

All three serve the same files: our service built them, the folder of Backstage's local publisher and that of nginx
are copies. Backstage issues the user's token, and both verify it. nginx asks nobody who they are.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import grpc
import httpx
from techdocs.v1 import builds_pb2, builds_pb2_grpc, docs_pb2, docs_pb2_grpc

from benchmarks.built_site import ENTITY, Source, corpus
from benchmarks.nginx_server import nginx
from benchmarks.pairs import Options, Row, beside, in_turn
from benchmarks.process_memory import PeakMemory
from benchmarks.wrk import Requests
from tests.support.backstage.backend import BackstageBackend, backstage_backend
from tests.support.services import RunningService, running
from tests.support.waiting import eventually

CASES = ("pages", "metadata", "search-index", "not-modified", "p99", "memory")
CONNECTIONS = 32
SITE = "default/component/measured"
BACKSTAGE, NGINX = "techdocs-backend", "nginx"
PAGES = 60
_MOUNT = "/api/techdocs"
_LEAST_OF_BACKSTAGE, _LEAST_OF_NGINX = 5.0, 0.15
_MIB = 1024 * 1024
_EARLIER = "ours before"
_TABLES = (("req/s", BACKSTAGE), ("req/s", NGINX), ("ms", BACKSTAGE), ("MiB", BACKSTAGE), ("MiB", _EARLIER))
_FLAT = 1.1
# A bridge keeps nothing in the first seconds in which it follows changes.
_SETTLE_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class Peers:
    """The three servers, and what all of them serve."""

    service: RunningService
    oracle: BackstageBackend
    ours_url: str
    nginx_url: str
    token: str
    pages: Sequence[str]

    def of_api(self, base: str, paths: Sequence[str], status: int = 200, **headers: str) -> Requests:
        """Return requests to one that knows Backstage's routes."""
        sent = {"Authorization": f"Bearer {self.token}"} | headers
        return Requests(base, [f"{_MOUNT}/{path}" for path in paths], sent, status)

    def of_nginx(self, paths: Sequence[str], status: int = 200, **headers: str) -> Requests:
        """Return requests to nginx."""
        return Requests(self.nginx_url, [f"/{path}" for path in paths], headers, status)


@dataclass(frozen=True, slots=True)
class Case:
    """The same requests to each."""

    name: str
    ours: Requests
    oracle: Requests
    nginx: Requests


@asynccontextmanager
async def peers(folder: Path, source: Source, pages: int) -> AsyncIterator[Peers]:
    """Build the site, copy it to the others, and yield when all of them serve."""
    entities = folder / "entities.json"
    entities.write_text(json.dumps({"component:default/measured": _entity(source)}))
    async with (
        backstage_backend(folder / "backstage", entities) as oracle,
        running(
            "serve", folder / "service", catalog=source.folder / "catalog-info.yaml", log_level="warning",
            authentication="backstage", backstage_url=oracle.url,
            # Made in the background, variants would take processor time from all three.
            compress_variants=False,
        ) as service,
    ):  # fmt: skip
        token = await oracle.user_token()
        www = oracle.published / SITE
        found = await _build_and_copy(service, token, www)
        chosen = [path for path in found if path.endswith("/index.html")][:pages]
        async with nginx(folder / "nginx", www) as url:
            made = Peers(service, oracle, service.rest, url, token, chosen)
            await eventually(
                partial(_answers_alike, made), timeout_seconds=60, what="ours and Backstage's are the same"
            )
            yield made


Rows = dict[tuple[str, str], list[Row]]
"""Rows by their unit and what ours is beside."""


async def measure(chosen: Options) -> Rows:
    """Measure the cases that are chosen."""
    with corpus(PAGES) as source:
        async with peers(source.folder.parent, source, PAGES // 2) as served:
            rows: Rows = {key: [] for key in _TABLES}
            for case in await _cases(served):
                wanted = [name for name in (case.name, *_ALSO.get(case.name, ())) if chosen.wants(name)]
                if wanted:
                    await _prepare(case)
                for name in wanted:
                    await _MEASURES.get(name, _compare_rates)(case, served, chosen, rows)
            return rows


async def _prepare(case: Case) -> None:
    """Let each answer everything once, and ours keep what it may."""
    for requests in (case.oracle, case.nginx, case.ours):
        await requests.check(connections=CONNECTIONS)
    await asyncio.sleep(_SETTLE_SECONDS)
    await case.ours.check(connections=CONNECTIONS)


async def _compare_rates(case: Case, served: Peers, chosen: Options, rows: Rows) -> None:
    seconds, rounds = _effort(chosen)
    least = None if case.name == "search-index" else _LEAST_OF_BACKSTAGE
    rows["req/s", BACKSTAGE].append(await _rates(case.name, case.ours, case.oracle, seconds, rounds, least))
    rows["req/s", NGINX].append(await _rates(case.name, case.ours, case.nginx, seconds, rounds, _LEAST_OF_NGINX))


async def _compare_slowest(case: Case, served: Peers, chosen: Options, rows: Rows) -> None:
    seconds, rounds = _effort(chosen)
    ours, theirs = _slowest(case.ours, seconds), _slowest(case.oracle, seconds)
    rows["ms", BACKSTAGE].append(await in_turn("p99", ours, theirs, rounds=rounds, better="lower", target=1.0))


async def _compare_memory(case: Case, served: Peers, chosen: Options, rows: Rows) -> None:
    """The most that each takes meanwhile; and what ours grows by, beside what it may keep, as it answers ten times more."""
    seconds, _ = _effort(chosen)
    ours = await _peak(served.service.process.pid, case.ours, seconds)
    theirs = await _peak(served.oracle.process.pid, case.oracle, seconds)
    later = await _peak(served.service.process.pid, case.ours, seconds * 10)
    rows["MiB", BACKSTAGE].append(beside("memory", ours, theirs, target=1.0, better="lower"))
    rows["MiB", _EARLIER].append(beside("memory", later, ours, target=_FLAT, better="lower"))


def _effort(chosen: Options) -> tuple[int, int]:
    return (2, 3) if chosen.quick else (5, 5)


_ALSO = {"pages": ("p99", "memory")}
_MEASURES = {"p99": _compare_slowest, "memory": _compare_memory}


async def _rates(name: str, ours: Requests, other: Requests, seconds: int, rounds: int, target: float | None) -> Row:
    def rate(requests: Requests) -> Callable[[], Awaitable[float]]:
        async def measured() -> float:
            return (await requests.load(connections=CONNECTIONS, seconds=seconds)).per_second

        return measured

    return await in_turn(name, rate(ours), rate(other), rounds=rounds, better="higher", target=target)


def _slowest(requests: Requests, seconds: int) -> Callable[[], Awaitable[float]]:
    async def measured() -> float:
        return (await requests.load(connections=CONNECTIONS, seconds=seconds)).p99_seconds * 1000

    return measured


async def _peak(pid: int, requests: Requests, seconds: int) -> float:
    with PeakMemory(pid, itself=True) as memory:
        await requests.load(connections=CONNECTIONS, seconds=seconds)
    return memory.peak_bytes / _MIB


async def _cases(served: Peers) -> list[Case]:
    static = [f"static/docs/{SITE}/{page}" for page in served.pages]
    index = "search/search_index.json"
    page = served.pages[:1]

    def case(name: str, ours: Sequence[str], files: Sequence[str]) -> Case:
        return Case(
            name, served.of_api(served.ours_url, ours), served.of_api(served.oracle.url, ours), served.of_nginx(files)
        )

    held = case("not-modified", static[:1], page)
    return [
        case("pages", static, served.pages),
        case("metadata", [f"metadata/techdocs/{SITE}"], ["techdocs_metadata.json"]),
        case("search-index", [f"static/docs/{SITE}/{index}"], [index]),
        Case(held.name, await _holding(held.ours), await _holding(held.oracle), await _holding(held.nginx)),
    ]


async def _holding(requests: Requests) -> Requests:
    """Return the same requests by a client that has the answer already."""
    async with httpx.AsyncClient() as client:
        answer = await client.get(requests.base + requests.paths[0], headers=dict(requests.headers))
    held = {"If-None-Match": answer.headers["etag"]}
    return replace(requests, headers={**requests.headers, **held}, status=304)


async def _build_and_copy(service: RunningService, token: str, folder: Path) -> list[str]:
    """Build the site and write its files to a folder; return their paths."""
    paths: list[str] = []
    metadata = (("authorization", f"Bearer {token}"),)
    async with grpc.aio.insecure_channel(service.grpc) as channel:
        builds, docs = builds_pb2_grpc.BuildServiceStub(channel), docs_pb2_grpc.DocsServiceStub(channel)
        await builds.SyncSite(builds_pb2.SyncSiteRequest(entity=ENTITY), timeout=300, metadata=metadata)
        asked = docs_pb2.ListContentsRequest(entity=ENTITY, page_size=1000)
        for content in (await docs.ListContents(asked, timeout=30, metadata=metadata)).contents:
            file = folder / content.path
            file.parent.mkdir(parents=True, exist_ok=True)
            request = docs_pb2.ReadContentRequest(entity=ENTITY, path=content.path)
            with file.open("wb") as output:
                async for message in docs.ReadContent(request, timeout=30, metadata=metadata):
                    output.write(message.body.data)
            paths.append(content.path)
    return paths


async def _answers_alike(served: Peers) -> bool:
    """Whether ours and Backstage's answer a page with the same bytes."""
    path = f"{_MOUNT}/static/docs/{SITE}/{served.pages[0]}"
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {served.token}"}) as client:
        answers = [await client.get(base + path) for base in (served.ours_url, served.oracle.url)]
        answers.append(await client.get(f"{served.nginx_url}/{served.pages[0]}"))
    return all(answer.status_code == 200 and answer.content == answers[0].content for answer in answers)


def _entity(source: Source) -> dict[str, object]:
    annotations = {
        "backstage.io/techdocs-ref": "dir:.",
        "backstage.io/managed-by-location": f"file:{source.folder}/catalog-info.yaml",
    }
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": "measured", "namespace": "default", "uid": "1", "annotations": annotations},
        "spec": {"type": "service", "owner": "me", "lifecycle": "test"},
    }
