"""Pages that the bridge keeps in memory, through real processes: never an older one, never a mix, never too much."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.cached_pages import PAGES, Poller, number_of, page_url, publish, remembered
from tests.support.ports import free_port
from tests.support.publish_messages import header, send, whole
from tests.support.publishing import publishing
from tests.support.rpc_client import component
from tests.support.services import RunningService, running, start
from tests.support.waiting import eventually

_MIB = 1024 * 1024
_PUBLISHES = 100
"""Of each of two sites."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """A server and a bridge, each a process."""

    server: RunningService
    bridge: RunningService
    client: httpx.AsyncClient

    @property
    def rest(self) -> str:
        return self.bridge.rest


@asynccontextmanager
async def deployed(folder: Path, **settings: object) -> AsyncIterator[Deployed]:
    async with (
        publishing(folder / "server") as server,
        running("bridge", folder / "bridge", bridge_server_target=server.service.grpc, **settings) as bridge,
        httpx.AsyncClient(timeout=30) as client,
    ):
        yield Deployed(server.service, bridge, client)


@pytest.mark.slow
async def test_readers_see_whole_revisions_and_none_twice_while_two_sites_are_published(tmp_path: Path) -> None:
    async with deployed(tmp_path) as service:
        pollers: list[Poller] = []
        for name in ("a", "b"):
            await publish(service.server.grpc, name, 1)
            revisions: dict[str, int] = {}
            pollers += [Poller(service.rest, name, revisions) for _ in range(3)]
            await remembered(service.server, service.client, page_url(service.rest, name))
        ended = asyncio.Event()
        polling = [asyncio.create_task(poller.run(ended)) for poller in pollers]
        try:
            for number in range(2, _PUBLISHES + 1):
                for name in ("a", "b"):
                    await publish(service.server.grpc, name, number)
                assert all(not task.done() for task in polling), [task for task in polling if task.done()]
            for poller in pollers:
                await eventually(lambda p=poller: p.newest == _PUBLISHES, what="the last publish is read")  # type: ignore[misc]
        finally:
            ended.set()
            await asyncio.gather(*polling)
        assert min(poller.reads for poller in pollers) > len(PAGES)


async def test_change_through_the_bridge_is_in_the_very_next_page(tmp_path: Path) -> None:
    async with deployed(tmp_path) as service:
        revisions = [(await publish(service.server.grpc, "a", number)).revision.revision for number in (1, 2)]
        await remembered(service.server, service.client, page_url(service.rest, "a"))
        for turn in range(60):
            wanted = turn % 2
            answer = await service.client.post(
                f"{service.rest}/v1/sites/default/component/a:rollback", json={"revision": revisions[wanted]}
            )
            assert answer.status_code == 200, answer.text
            for page in PAGES:
                assert number_of(await service.client.get(page_url(service.rest, "a", page))) == wanted + 1


async def test_server_that_is_gone_is_not_stood_in_for_and_its_successor_is_believed(tmp_path: Path) -> None:
    port = free_port()
    settings = {"server_listen": f"127.0.0.1:{port}", "catalog": tmp_path / "catalog"}
    (tmp_path / "catalog").mkdir()
    first = await start("server", tmp_path / "server", **settings)
    try:
        async with (
            running("bridge", tmp_path / "bridge", bridge_server_target=first.grpc) as bridge,
            httpx.AsyncClient(timeout=30) as client,
        ):
            url = page_url(bridge.rest, "a")
            await publish(first.grpc, "a", 1)
            await remembered(first, client, url)
            await first.kill()

            async def is_refused() -> bool:
                return (await client.get(url)).status_code >= 500

            await eventually(is_refused, timeout_seconds=3, what="the bridge answers no more")
            second = await start("server", tmp_path / "server", **settings)
            try:
                await publish(second.grpc, "a", 2)

                async def shows_second() -> bool:
                    answer = await client.get(url)
                    return answer.status_code == 200 and number_of(answer) == 2

                await eventually(shows_second, timeout_seconds=15, what="the page of the second server")
                await remembered(second, client, url)
                assert number_of(await client.get(url)) == 2
            finally:
                await second.terminate()
    finally:
        if first.process.returncode is None:
            await first.kill()


async def test_memory_stays_within_its_bound_however_many_pages_are_read(tmp_path: Path) -> None:
    bound, pages, size = 8 * _MIB, 300, 200_000
    async with deployed(tmp_path, bridge_cache_bytes=bound) as service:
        files = {f"{number}.html": f"{number:06}".encode() * (size // 6) for number in range(pages)}
        files["index.html"] = b"the front page"
        await send(service.server.grpc, whole(files, header(component("a"), source_etag="1")))
        await remembered(service.server, service.client, page_url(service.rest, "a", "0.html"))
        await _read_all(service, pages=20)
        before = _resident_bytes(service.bridge.process.pid)
        for _ in range(2):
            await _read_all(service, pages=pages)
        # 60 MB were read; what an allocator keeps for itself comes on top of the bound.
        assert _resident_bytes(service.bridge.process.pid) - before < bound + 16 * _MIB


async def _read_all(service: Deployed, *, pages: int) -> None:
    for number in range(pages):
        answer = await service.client.get(page_url(service.rest, "a", f"{number}.html"))
        assert answer.status_code == 200


def _resident_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")
