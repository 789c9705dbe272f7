"""The real gRPC server over memory stores, with places where a test can hold or break a call."""

# ruff: noqa: N802 - RPCs keep their names

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from techdocs.v1 import builds_pb2, capabilities_pb2, docs_pb2, entity_pb2
from techdocs_server.adapters.authentication.signing_keys import SigningKeys
from techdocs_server.adapters.clock import SystemClock
from techdocs_server.adapters.records.memory_signing_keys import MemorySigningKeys
from techdocs_server.ports.catalog import Catalog
from techdocs_server.rpc.admin_servicer import AdminServicer
from techdocs_server.rpc.auth_servicer import AuthServicer
from techdocs_server.rpc.builds_servicer import BuildsServicer
from techdocs_server.rpc.capabilities_servicer import CapabilitiesServicer
from techdocs_server.rpc.docs_servicer import DocsServicer
from techdocs_server.rpc.interceptors.wrapping import Context
from techdocs_server.rpc.publish_servicer import PublishServicer
from techdocs_server.rpc.server import AccessControl, Servicers, TechDocsServer
from techdocs_server.rpc.sites_servicer import SitesServicer
from techdocs_server.services.classic_sites import ClassicSites
from techdocs_server.services.compressing import Variants
from techdocs_server.services.describing import SiteDescriber
from techdocs_server.services.limited_tokens import LimitedTokens

from tests.support.pipeline import ENTITY, FailingBlobStore, FolderCatalog, Pipeline, pipeline
from tests.support.publishes import Acceptance
from tests.support.rpc_client import Client, connected

DEMO = entity_pb2.EntityRef(namespace=ENTITY.namespace, kind=ENTITY.kind, name=ENTITY.name)
MAX_UNARY_BYTES = 300_000
"""Small, so that the files a test writes can be larger; larger than one chunk."""

OPEN_TO_ALL = AccessControl(authenticator=None, policy=None)
"""How a server without authentication is made."""


async def _nothing() -> None:
    """Let a call go on."""


class HeldDocs(DocsServicer):
    """Does what ``before`` does before it answers a request for content."""

    before: Callable[[], Awaitable[None]] = staticmethod(_nothing)

    async def GetContent(self, request: docs_pb2.GetContentRequest, context: Context) -> docs_pb2.GetContentResponse:
        await self.before()
        return await super().GetContent(request, context)

    async def ReadContent(
        self, request: docs_pb2.ReadContentRequest, context: Context
    ) -> AsyncIterator[docs_pb2.ReadContentResponse]:
        await self.before()
        async for response in super().ReadContent(request, context):
            yield response


@dataclass
class Served:
    """A running server and a client of it."""

    pipeline: Pipeline
    server: TechDocsServer
    docs: HeldDocs
    client: Client
    target: str

    async def publish(self, **pages: str) -> str:
        """Make the site consist of these pages and return its revision."""
        self.pipeline.write(**pages)
        return (await self.sync()).revision

    async def sync(self, *, force: bool = False) -> builds_pb2.SyncSiteResponse:
        """Sync the demo site."""
        return await self.client.builds.SyncSite(builds_pb2.SyncSiteRequest(entity=DEMO, force=force))

    async def get(self, path: str = "index.html", *, timeout: float | None = None) -> docs_pb2.GetContentResponse:
        """Get a page of the demo site."""
        return await self.client.docs.GetContent(docs_pb2.GetContentRequest(entity=DEMO, path=path), timeout=timeout)

    async def get_with(self, metadata: list[tuple[str, str]]) -> docs_pb2.GetContentResponse:
        """Get the front page of the demo site with these metadata."""
        return await self.client.docs.GetContent(
            docs_pb2.GetContentRequest(entity=DEMO, path="index.html"), metadata=metadata
        )


@asynccontextmanager
async def served(
    folder: Path,
    *,
    max_concurrent_calls: int = 100,
    reflection: bool = True,
    build_queue_limit: int = 10,
    publish_enabled: bool = True,
    publish_idle_seconds: float = 30.0,
    classic: ClassicSites | None = None,
    access: AccessControl | Callable[[Pipeline], AccessControl] = OPEN_TO_ALL,
    blobs: FailingBlobStore | None = None,
    variants: Variants | None = None,
    catalog: Catalog | None = None,
) -> AsyncIterator[Served]:
    """Run a server on a free port, and its pipeline, until the context ends.

    A ``catalog`` decides who is told of a site's metadata.
    """
    async with pipeline(folder, limit=build_queue_limit, classic=classic, blobs=blobs, variants=variants) as graph:
        let_in = access if isinstance(access, AccessControl) else access(graph)
        acceptance = Acceptance(
            blobs=graph.blobs,
            sites=graph.sites,
            leases=graph.sites.sweeping.leases,
            clock=SystemClock(),
            idle_seconds=publish_idle_seconds,
        )
        docs = HeldDocs(
            reader=graph.reader,
            describer=SiteDescriber(
                graph.reader, catalog or FolderCatalog(graph.source), checks_entities=catalog is not None
            ),
            listings=graph.listings,
            max_unary_bytes=MAX_UNARY_BYTES,
        )
        server = TechDocsServer(
            Servicers(
                docs=docs,
                builds=BuildsServicer(
                    syncer=graph.syncer, starter=graph.starter, events=graph.events, listings=graph.listings
                ),
                publish=PublishServicer(
                    acceptor=acceptance.acceptor, presence=acceptance.presence, enabled=publish_enabled
                ),
                sites=SitesServicer(life=graph.life, listings=graph.listings, changes=graph.changes),
                admin=AdminServicer(collector=graph.collector),
                capabilities=CapabilitiesServicer(capabilities_pb2.Capabilities(server_version="1.2.3")),
                auth=AuthServicer(
                    limited_tokens=LimitedTokens(let_in.authenticator, SystemClock()),
                    keys=SigningKeys(MemorySigningKeys(), SystemClock()),
                ),
            ),
            listen="127.0.0.1:0",
            max_concurrent_calls=max_concurrent_calls,
            reflection=reflection,
            access=let_in,
        )
        target = f"127.0.0.1:{await server.start()}"
        try:
            async with connected(target) as client:
                yield Served(graph, server, docs, client, target)
        finally:
            await server.stop(grace_seconds=0, end_streams=graph.events.close)


async def initial_metadata(call: grpc.aio.Call) -> dict[str, str | bytes]:
    """Return what the server sent before its answer."""
    return dict(await call.initial_metadata())


async def trailing_metadata(call: grpc.aio.Call) -> dict[str, str | bytes]:
    """Return what the server sent after its answer."""
    return dict(await call.trailing_metadata())
