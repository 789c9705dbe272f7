"""Several processes of one service, over a real S3 server and a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from techdocs.v1 import builds_pb2, docs_pb2

from tests.support.holding import HoldingToolchain, holding_plugins
from tests.support.postgresql import PostgreSQL
from tests.support.published import Catalog
from tests.support.rpc_client import Client, component, connected
from tests.support.seaweedfs import ACCESS_KEY, BUCKET, SECRET_KEY, SeaweedFS
from tests.support.services import RunningService, start
from tests.support.sites import mkdocs_config, write_files


def shared_stores(s3: SeaweedFS, database: PostgreSQL, prefix: str) -> dict[str, object]:
    """Return settings of stores that nobody has used yet."""
    return {
        "s3_endpoint": s3.endpoint,
        "s3_bucket": BUCKET,
        "s3_prefix": prefix,
        "s3_region": "us-east-1",
        "s3_access_key": ACCESS_KEY,
        "s3_secret_key": SECRET_KEY,
        "database_url": database.new_database().replace("+psycopg", ""),
    }


@dataclass
class Replica:
    """A process, and a client of it if it is a server."""

    name: str
    service: RunningService
    client: Client

    async def sync(self, name: str) -> builds_pb2.SyncSiteResponse:
        """Sync a component."""
        return await self.client.builds.SyncSite(builds_pb2.SyncSiteRequest(entity=component(name)))

    async def create(self, name: str) -> builds_pb2.Build:
        """Queue a build."""
        return (await self.client.builds.CreateBuild(builds_pb2.CreateBuildRequest(entity=component(name)))).build

    async def build(self, name: str) -> builds_pb2.Build:
        """Return a build as it stands."""
        return (await self.client.builds.GetBuild(builds_pb2.GetBuildRequest(name=name))).build

    async def page(self, name: str) -> str:
        """Return the front page of a component."""
        content = await self.client.docs.GetContent(docs_pb2.GetContentRequest(entity=component(name)))
        return str(content.body.data.decode())


@dataclass
class Replicas:
    """Processes over the same stores and one catalog, whose builds wait while ``gate`` exists."""

    folder: Path
    catalog: Catalog
    gate: Path
    settings: dict[str, object]
    running: dict[str, Replica] = field(default_factory=dict)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def start(self, role: str, name: str, **settings: object) -> Replica:
        """Start a process with a data directory of its own."""
        service = await start(role, self.folder / name, **{**self.settings, **settings})
        self._stack.push_async_callback(_ended, service)
        # A worker has nothing to connect to; its client is never used.
        client = await self._stack.enter_async_context(connected(service.grpc or "127.0.0.1:1"))
        self.running[name] = Replica(name, service, client)
        return self.running[name]

    def add(self, *names: str, held: bool = False) -> None:
        """Add components with a page that names its first generation; builds of held ones wait at the gate."""
        for name in names:
            self.catalog.add(name, {"index.md": f"# {name}\n\nThis is generation-0.\n"})
            plugins = holding_plugins(self.gate) if held else ["techdocs-core"]
            write_files(self.catalog.folder / name, {"mkdocs.yml": mkdocs_config(name, plugins=plugins)})

    def edit(self, name: str, generation: int) -> None:
        """Write the page of a component anew."""
        self.catalog.write(name, "index.md", f"# {name}\n\nThis is generation-{generation}.\n")

    async def close(self) -> None:
        """End every process."""
        self.gate.unlink(missing_ok=True)
        await self._stack.aclose()


@asynccontextmanager
async def replicas(folder: Path, s3: SeaweedFS, database: PostgreSQL) -> AsyncIterator[Replicas]:
    """Return replicas, of which none runs yet, until the context ends."""
    catalog = Catalog(folder / "catalog")
    toolchain = HoldingToolchain(folder / "toolchain")
    settings = {**shared_stores(s3, database, f"{folder.name}/"), "catalog": catalog.folder, **toolchain.settings}
    made = Replicas(folder, catalog, toolchain.gate, settings)
    try:
        yield made
    finally:
        await made.close()


async def _ended(service: RunningService) -> None:
    if service.process.returncode is None:
        try:
            await service.terminate()
        except TimeoutError:
            await service.kill()
            raise AssertionError(f"techdocs {service.role} did not stop; its log:\n{service.logged()}") from None
