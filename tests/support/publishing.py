"""A real server that takes sites from outside, and the command that sends them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from techdocs.v1 import docs_pb2, entity_pb2, publish_pb2, sites_pb2
from techdocs_server.domain.digest import Digest

from tests.support.postgresql import PostgreSQL
from tests.support.publish_messages import digest_message, send
from tests.support.rpc_client import Client, component, connected
from tests.support.seaweedfs import ACCESS_KEY, BUCKET, SECRET_KEY, SeaweedFS
from tests.support.services import RunningService, environment, running

DOCS = component("docs")
COMMAND_SECONDS = 60.0


def other_stores(s3: SeaweedFS, postgresql: PostgreSQL, *, prefix: str) -> dict[str, object]:
    """Return the settings of a server with contents in S3 and records in a new database of PostgreSQL."""
    return {
        "s3_endpoint": s3.endpoint,
        "s3_bucket": BUCKET,
        "s3_prefix": prefix,
        "s3_region": "us-east-1",
        "s3_access_key": ACCESS_KEY,
        "s3_secret_key": SECRET_KEY,
        "database_url": postgresql.new_database().replace("+psycopg", ""),
    }


@dataclass
class PublishingServer:
    """A running server, and what its callers ask."""

    service: RunningService
    client: Client
    settings: Mapping[str, object]

    async def publish(self, messages: Iterable[publish_pb2.PublishSiteRequest]) -> publish_pb2.PublishSiteResponse:
        """Send a stream."""
        return await send(self.service.grpc, messages)

    async def missing(self, files: Mapping[str, bytes], entity: entity_pb2.EntityRef = DOCS) -> set[str]:
        """Return the hashes of the contents that an entity must send."""
        request = publish_pb2.FindMissingBlobsRequest(
            entity=entity, digests=[digest_message(Digest.of(content)) for content in files.values()]
        )
        answer = await self.client.publish.FindMissingBlobs(request)
        return {digest.sha256 for digest in answer.missing_digests}

    async def read(self, path: str, entity: entity_pb2.EntityRef = DOCS) -> bytes:
        """Read a file as a reader does."""
        stream = self.client.docs.ReadContent(docs_pb2.ReadContentRequest(entity=entity, path=path))
        return b"".join([message.body.data async for message in stream])

    async def sites(self) -> list[str]:
        """Return the names of the entities that have a site."""
        answer = await self.client.sites.ListSites(sites_pb2.ListSitesRequest())
        return [site.entity.name for site in answer.sites]


@asynccontextmanager
async def publishing(folder: Path, *, role: str = "server", **settings: object) -> AsyncIterator[PublishingServer]:
    """Run a server until the context ends. It has no entity in its catalog: what is published needs none."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "catalog").mkdir(exist_ok=True)
    async with (
        running(role, folder, catalog=folder / "catalog", **settings) as service,
        connected(service.grpc) as client,
    ):
        yield PublishingServer(service, client, settings)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    said: str
    complained: str


async def publish_command(target: str, folder: Path, *arguments: str, token: str = "") -> Ended:
    """Run ``techdocs publish`` in a process of its own, with its output in pipes."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "techdocs_server", "publish", "--server", target),
        *("--entity", "default/component/docs", "--directory", str(folder), *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment({"token": token} if token else {}),
    )
    try:
        async with asyncio.timeout(COMMAND_SECONDS):
            said, complained = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Ended(process.returncode or 0, said.decode(), complained.decode())


def write_site(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files below a folder, and return it."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder
