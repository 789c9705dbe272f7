"""A deployment on which every error of the contract can be brought about, and the means to do so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
from techdocs.v1 import docs_pb2, docs_pb2_grpc, entity_pb2

from tests.support.holding import HoldingToolchain
from tests.support.published import BIG_BYTES, BUILD_SECONDS, Catalog, Deployment, deployed
from tests.support.services import RunningService, running
from tests.support.waiting import eventually

CALLS_AT_ONCE = 3
_ACTIVE = ["QUEUED", "PREPARING", "GENERATING", "PUBLISHING"]


@dataclass(frozen=True, slots=True)
class Stage:
    """A deployment with room for one running and one waiting build, and a gate that holds builds of held and moved."""

    deployment: Deployment
    client: httpx.AsyncClient
    """Speaks to the bridge; paths are relative to the mount under test."""
    mount: str
    gate: Path

    @property
    def blobs(self) -> Path:
        """Folder of the blobs of the server."""
        return self.deployment.data / "blobs"

    async def digest_of(self, path: str) -> str:
        """Return the SHA-256 of a file of demo."""
        answer = await self.client.get("/v1/sites/default/component/demo/contents", params={"pathPrefix": path})
        (content,) = answer.json()["contents"]
        return str(content["sha256"])

    async def builds(self, *states: str) -> list[str]:
        """Return the names of the builds that are in one of the states."""
        answer = await self.client.get("/v1/builds", params={"states": [f"BUILD_STATE_{state}" for state in states]})
        return [build["name"] for build in answer.json()["builds"]]

    @asynccontextmanager
    async def closed_gate(self) -> AsyncIterator[None]:
        """Hold the builds of held and moved in the middle until the end of the context; then all builds end."""
        self.gate.touch()
        try:
            yield
        finally:
            self.gate.unlink()
            await self.quiet()

    async def waiting_sync(
        self, name: str, client: httpx.AsyncClient | None = None
    ) -> tuple[asyncio.Task[httpx.Response], str]:
        """Sync an entity whose gate is closed; return the request that waits for it, and the build."""
        waiting = asyncio.create_task((client or self.client).post(f"/sync/default/component/{name}?force=true"))
        (build,) = await eventually(lambda: self.builds("GENERATING"), what=f"{name} is being generated")
        return waiting, build

    async def quiet(self) -> None:
        """Wait until no build runs or waits."""
        await eventually(self._is_quiet, timeout_seconds=BUILD_SECONDS, what="all builds have ended")

    @asynccontextmanager
    async def another_bridge(self, **settings: object) -> AsyncIterator[tuple[RunningService, httpx.AsyncClient]]:
        """Run one more bridge to the same server, with other settings."""
        async with (
            running(
                "bridge",
                self.deployment.data.parent / "another",
                bridge_server_target=self.deployment.server.grpc,
                **settings,
            ) as bridge,
            httpx.AsyncClient(base_url=bridge.rest + self.mount, timeout=BUILD_SECONDS) as client,
        ):
            yield bridge, client

    @asynccontextmanager
    async def all_calls_taken(self) -> AsyncIterator[None]:
        """Keep the server busy with as many calls as it takes, by readers that do not read."""
        request = docs_pb2.ReadContentRequest(
            entity=entity_pb2.EntityRef(kind="component", name="demo"), path="assets/big.bin"
        )
        # Without probes the client takes in 64 KiB a stream; with them it may take in the whole file unread.
        options = (("grpc.http2.bdp_probe", 0),)
        async with grpc.aio.insecure_channel(self.deployment.server.grpc, options) as channel:
            calls = [docs_pb2_grpc.DocsServiceStub(channel).ReadContent(request) for _ in range(CALLS_AT_ONCE)]
            await asyncio.gather(*(call.read() for call in calls))
            yield
            for call in calls:
                call.cancel()
        await eventually(self._takes_calls, what="the cancelled calls are over")

    async def _takes_calls(self) -> bool:
        return (await self.client.get("/v1/capabilities")).status_code == 200

    async def _is_quiet(self) -> bool:
        return not await self.builds(*_ACTIVE)


@asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Callable[[str], Awaitable[Stage]]]:
    """Run the deployment; what it gives makes a stage for a mount."""
    catalog, toolchain = Catalog(folder / "catalog"), HoldingToolchain(folder / "toolchain")
    catalog.add("demo", big=True)
    catalog.add("broken", {"other.md": "# A site without a front page\n"})
    catalog.add("unbuilt")
    catalog.add("sourceless", ref=None)
    catalog.add("fragile")
    catalog.add("held", gate=toolchain.gate)
    catalog.add("moved", gate=toolchain.gate)
    catalog.add("huge", big=True)
    catalog.write("huge", "assets/more.txt", "x" * BIG_BYTES)
    server = {
        **toolchain.settings,
        "build_concurrency": 1,
        "build_queue_limit": 1,
        "server_max_concurrent_calls": CALLS_AT_ONCE,
        "source_max_bytes": BIG_BYTES + BIG_BYTES // 2,
    }
    async with AsyncExitStack() as resources, deployed(folder, catalog, server=server) as deployment:

        async def stage(mount: str) -> Stage:
            client = httpx.AsyncClient(base_url=deployment.rest + mount, timeout=BUILD_SECONDS)
            return Stage(deployment, await resources.enter_async_context(client), mount, toolchain.gate)

        await deployment.sync("demo")
        await deployment.sync("moved")
        catalog.write("moved", "index.md", "# Moved\n")
        await deployment.sync("moved")
        yield stage
