"""Starting, holding and looking at builds of a running service."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from techdocs.v1 import builds_pb2, docs_pb2

from tests.support.holding import HoldingToolchain, holding_plugins, says_held
from tests.support.launchers import left_by_builds
from tests.support.processes import builds_of
from tests.support.published import Catalog
from tests.support.rpc_client import Client, collected, component, connected
from tests.support.services import RunningService, running, start
from tests.support.sites import mkdocs_config, write_files
from tests.support.waiting import eventually

FINAL = frozenset({builds_pb2.BUILD_STATE_SUCCEEDED, builds_pb2.BUILD_STATE_FAILED, builds_pb2.BUILD_STATE_CANCELLED})
BUILD_SECONDS = 60.0


@dataclass
class Site:
    """A service with a catalog of sites whose builds wait while ``gate`` exists."""

    folder: Path
    catalog: Catalog
    gate: Path
    settings: dict[str, object]
    service: RunningService
    client: Client

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def add(self, *names: str) -> None:
        """Add components with a page that names its first generation."""
        for name in names:
            self.catalog.add(name, {"index.md": f"# {name}\n\nThis is generation-0.\n"})
            config = mkdocs_config(name, plugins=holding_plugins(self.gate))
            write_files(self.catalog.folder / name, {"mkdocs.yml": config})

    def edit(self, name: str, generation: int) -> None:
        """Write the page of a component anew."""
        self.catalog.write(name, "index.md", f"# {name}\n\nThis is generation-{generation}.\n")

    def hold(self) -> None:
        """Make builds wait from now on, inside MkDocs."""
        self.gate.touch()

    def release(self) -> None:
        """Let waiting builds go on."""
        self.gate.unlink()

    async def sync(self, name: str) -> builds_pb2.SyncSiteResponse:
        """Sync a component."""
        return await self.client.builds.SyncSite(builds_pb2.SyncSiteRequest(entity=component(name)))

    async def create(self, name: str) -> str:
        """Queue a build and return its name."""
        request = builds_pb2.CreateBuildRequest(entity=component(name))
        build: builds_pb2.Build = (await self.client.builds.CreateBuild(request)).build
        return build.name

    async def build(self, name: str) -> builds_pb2.Build:
        """Return a build as it stands."""
        return (await self.client.builds.GetBuild(builds_pb2.GetBuildRequest(name=name))).build

    async def reached(self, name: str, state: builds_pb2.BuildState.ValueType) -> None:
        """Wait until a build is in a state."""

        async def in_state() -> bool:
            return (await self.build(name)).state == state

        await eventually(in_state, timeout_seconds=BUILD_SECONDS, what=f"{name} is {builds_pb2.BuildState.Name(state)}")

    async def ended(self, name: str) -> builds_pb2.Build:
        """Wait until a build has ended and return it."""

        async def final() -> builds_pb2.Build | None:
            build = await self.build(name)
            return build if build.state in FINAL else None

        return await eventually(final, timeout_seconds=BUILD_SECONDS, what=f"{name} has ended") or builds_pb2.Build()

    async def events(self, name: str, *, after: int = 0) -> list[builds_pb2.BuildEvent]:
        """Return the events of a build, to its end."""
        request = builds_pb2.WatchBuildRequest(name=name, after_sequence=after)
        return events_of(await collected(self.client.builds.WatchBuild(request)))

    async def page(self, name: str) -> str:
        """Return the front page of a component."""
        request = docs_pb2.GetContentRequest(entity=component(name))
        content: bytes = (await self.client.docs.GetContent(request)).body.data
        return content.decode()

    async def held_child(self) -> int:
        """Wait until the one process that builds is held inside MkDocs, and return its id."""
        workspaces = self.data / "workspaces"
        await eventually(lambda: says_held(workspaces), timeout_seconds=BUILD_SECONDS, what="a build is held")
        [child] = builds_of(self.service.process.pid)
        return child

    def stopping(self) -> asyncio.Task[int]:
        """Ask the service to stop; the task returns its exit status. To ask twice would end it at once."""
        self.service.process.send_signal(signal.SIGTERM)
        return asyncio.create_task(self.service.process.wait())

    def leftovers(self) -> list[Path]:
        """Return what builds and uploads left behind in the data directory."""
        aside = [path for path in (self.data / "blobs" / "tmp").rglob("*") if path.is_file()]
        return [*left_by_builds(self.data / "workspaces"), *aside]


@asynccontextmanager
async def building(folder: Path, *, role: str = "server", **settings: object) -> AsyncIterator[Site]:
    """Run a service over an empty catalog until the context ends."""
    catalog = Catalog(folder / "catalog")
    toolchain = HoldingToolchain(folder / "toolchain")
    settings |= {"catalog": catalog.folder, **toolchain.settings}
    async with running(role, folder, **settings) as service, connected(service.grpc) as client:
        site = Site(folder, catalog, toolchain.gate, settings, service, client)
        try:
            yield site
        finally:
            site.gate.unlink(missing_ok=True)


@asynccontextmanager
async def restarted(site: Site) -> AsyncIterator[Site]:
    """Run a service over what an ended one left, until the context ends."""
    service = await start(site.service.role, site.folder, **site.settings)
    try:
        async with connected(service.grpc) as client:
            yield Site(site.folder, site.catalog, site.gate, site.settings, service, client)
    finally:
        if service.process.returncode is None:
            await service.terminate()


def events_of(messages: Sequence[builds_pb2.WatchBuildResponse]) -> list[builds_pb2.BuildEvent]:
    """Return the events of a stream without its heartbeats."""
    return [message.event for message in messages if message.HasField("event")]
