"""A real gRPC server that tells of changes, and says for whom its answers hold, as a test wants it."""

# ruff: noqa: N802 - RPCs keep their names

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
from google.protobuf import duration_pb2
from techdocs.v1 import (
    builds_pb2_grpc,
    docs_pb2,
    docs_pb2_grpc,
    entity_pb2,
    sites_pb2,
    sites_pb2_grpc,
)

from tests.support.waiting import eventually
from tests.unit.bridge.real_bridge import Builds, Context, Docs
from tests.unit.bridge.statuses import status

OLD, NEW = "0" * 64, "1" * 64
ENTITY = entity_pb2.EntityRef(namespace="default", kind="component", name="a")
PAGE = "/static/docs/default/component/a/index.html"
METADATA = "/metadata/techdocs/default/component/a"


@dataclass
class FollowedDocs(Docs):
    """Answers of one revision at a time, with a scope."""

    chunk_bytes: int = 64 * 1024
    revision: str = OLD
    anyone: bool = True
    followed: bool = True
    valid_seconds: float = 60.0
    refused: dict[str, grpc.Status] = field(default_factory=dict)
    """What a caller gets, by its authorization."""
    waits: asyncio.Event | None = None
    """Waited for when an answer is decided, before it is sent."""
    stored_failure: grpc.Status | None = None
    """Fails streams of contents."""
    asked: int = 0

    def publish(self, revision: str, text: str) -> None:
        """Make another revision current. Nobody is told."""
        self.revision = revision
        self.files = {
            path: (media_type, f"{path}: {text}".encode())
            for path, media_type in (
                ("index.html", "text/html"), ("deep/index.html", "text/html"), ("logo.svg", "image/svg+xml"),
                ("style.css", "text/css"), ("404.html", "text/html"), ("search/search_index.json", "application/json"),
                ("techdocs_metadata.json", "application/json"),
            )
        }  # fmt: skip
        document = b'{"build_timestamp": 1, "site_name": "%s"}' % text.encode()
        self.files["techdocs_metadata.json"] = ("application/json", document)
        self.gzipped = {"style.css": b"gzip of " + text.encode()}

    def scope(self, asked_revision: str) -> docs_pb2.AnswerScope:
        scope = docs_pb2.AnswerScope(anyone=self.anyone, followed=self.followed and not asked_revision)
        if self.valid_seconds:
            milliseconds = int(self.valid_seconds * 1000)
            duration = duration_pb2.Duration(seconds=milliseconds // 1000, nanos=milliseconds % 1000 * 10**6)
            scope.valid_for.CopyFrom(duration)
        return scope

    async def GetContent(self, request: docs_pb2.GetContentRequest, context: Context) -> docs_pb2.GetContentResponse:
        await self._admit(context)
        answer = await super().GetContent(request, context)
        answer.info.revision = request.revision or self.revision
        answer.access.CopyFrom(self.scope(request.revision))
        if self.waits is not None:
            await self.waits.wait()
        return answer

    async def ReadContent(
        self, request: docs_pb2.ReadContentRequest, context: Context
    ) -> AsyncIterator[docs_pb2.ReadContentResponse]:
        await self._admit(context)
        if self.stored_failure is not None:
            await context.abort_with_status(self.stored_failure)
        async for message in super().ReadContent(request, context):
            if message.HasField("info"):
                message.info.revision = request.revision or self.revision
                message.access.CopyFrom(self.scope(request.revision))
            yield message

    async def GetSiteMetadata(
        self, request: docs_pb2.GetSiteMetadataRequest, context: Context
    ) -> docs_pb2.GetSiteMetadataResponse:
        await self._admit(context)
        answer = await super().GetSiteMetadata(request, context)
        answer.revision = self.revision
        answer.metadata.site_name = f"{self.revision} {request.entity.name}"
        answer.access.CopyFrom(self.scope(request.revision))
        return answer

    async def _admit(self, context: Context) -> None:
        self.asked += 1
        refusal = self.refused.get(str(dict(context.invocation_metadata() or ()).get("authorization", "")))
        if refusal is not None:
            await context.abort_with_status(refusal)


class FollowedSites(sites_pb2_grpc.SiteServiceServicer):
    """Tells of changes; ``cut`` ends the streams, and ``is_open`` lets new ones begin."""

    def __init__(self) -> None:
        self.is_open = True
        self.streams: set[asyncio.Queue[sites_pb2.WatchSitesResponse | None]] = set()
        self.began = 0
        self.sequence = 0

    async def WatchSites(
        self, request: sites_pb2.WatchSitesRequest, context: Context
    ) -> AsyncIterator[sites_pb2.WatchSitesResponse]:
        if not self.is_open:
            await context.abort_with_status(status(grpc.StatusCode.UNAVAILABLE, "stopping", "SERVER_DRAINING"))
        queue: asyncio.Queue[sites_pb2.WatchSitesResponse | None] = asyncio.Queue()
        self.streams.add(queue)
        self.began += 1
        try:
            yield sites_pb2.WatchSitesResponse(sequence=self.sequence)
            while (message := await queue.get()) is not None:
                yield message
        finally:
            self.streams.discard(queue)

    def tell(self, revision: str, entity: entity_pb2.EntityRef = ENTITY) -> None:
        self.sequence += 1
        change = sites_pb2.SiteChange(
            sequence=self.sequence,
            entity=entity,
            action=sites_pb2.SITE_ACTION_PUBLISHED,
            revision=revision,
        )
        for queue in self.streams:
            queue.put_nowait(sites_pb2.WatchSitesResponse(change=change, sequence=self.sequence))

    def cut(self) -> None:
        for queue in self.streams:
            queue.put_nowait(None)


@dataclass
class FollowedServer:
    """A running server."""

    target: str
    docs: FollowedDocs
    sites: FollowedSites
    builds: Builds

    async def is_followed(self) -> None:
        """Wait until a bridge hears."""
        await eventually(lambda: bool(self.sites.streams), what="the bridge follows changes")


@asynccontextmanager
async def followed_server() -> AsyncIterator[FollowedServer]:
    """Run a server on a free port."""
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    docs, sites, builds = FollowedDocs(), FollowedSites(), Builds()
    docs.publish(OLD, "old")
    docs_pb2_grpc.add_DocsServiceServicer_to_server(docs, server)
    sites_pb2_grpc.add_SiteServiceServicer_to_server(sites, server)
    builds_pb2_grpc.add_BuildServiceServicer_to_server(builds, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield FollowedServer(f"127.0.0.1:{port}", docs, sites, builds)
    finally:
        await server.stop(None)
