"""A real bridge in front of a real gRPC server whose answers a test chooses."""

# ruff: noqa: N802 - RPCs keep their names

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn, TypeAlias
from urllib.parse import urlsplit

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from techdocs.v1 import (
    auth_pb2,
    auth_pb2_grpc,
    builds_pb2,
    builds_pb2_grpc,
    docs_pb2,
    docs_pb2_grpc,
    sites_pb2,
    sites_pb2_grpc,
)
from techdocs_bridge.serving import serve_bridge
from techdocs_bridge.settings import BridgeSettings

from tests.unit.bridge.statuses import status

REVISION = "ab" * 32
MOUNT = "/api/techdocs"

# Quoted: at run time the class has no type parameters.
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


ReadRequest: TypeAlias = docs_pb2.ReadContentRequest | docs_pb2.GetContentRequest


def etag_of(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()}"'


@dataclass
class Found:
    """What answers one request for content."""

    info: docs_pb2.ContentInfo
    encoded: docs_pb2.EncodedContent | None
    range: docs_pb2.ContentRange | None
    body: bytes
    not_modified: bool = False
    has_body: bool = False


@dataclass
class Docs(docs_pb2_grpc.DocsServiceServicer):
    """Serves files of one revision from memory in chunks of 4 bytes, and fails as told."""

    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """Path to media type and bytes."""
    failure: grpc.Status | None = None
    """Fails every call before its first message."""
    failure_after_first: grpc.Status | None = None
    """Fails reads after their first message."""
    fails_from_offset: int = 0
    """Where a read must begin, or further on, to fail so."""
    extra_bytes: bytes = b""
    """Sent at the end of every content, though nobody announced it."""
    missing_bytes: int = 0
    """Left out at the end of every content."""
    chunk_bytes: int = 4
    gate: asyncio.Event | None = None
    """Waited for before the second message."""
    gzipped: dict[str, bytes] = field(default_factory=dict)
    """Path to the bytes that stand for the file in gzip."""
    last_modified: datetime | None = None
    """Of every file."""
    private: bool = False
    part_content: bytes | None = None
    """What parts are of, in place of the file that is told of."""
    gone_revisions: int = 0
    """How many more requests for a revision by name find it gone."""
    requests: list[ReadRequest] = field(default_factory=list)
    metadata: list[dict[str, str | bytes]] = field(default_factory=list)
    waiting: int = 0
    """Reads that have come to the gate."""
    cancelled: int = 0
    sent_messages: int = 0

    async def ReadContent(
        self, request: docs_pb2.ReadContentRequest, context: Context
    ) -> AsyncIterator[docs_pb2.ReadContentResponse]:
        found = await self._found(request, context)
        first = docs_pb2.ReadContentResponse(info=found.info, not_modified=found.not_modified, private=self.private)
        if found.encoded is not None:
            first.encoded.CopyFrom(found.encoded)
        if found.range is not None:
            first.range.CopyFrom(found.range)
        if not found.has_body:
            yield first
            return
        fails = request.read_offset >= self.fails_from_offset
        async for message in self._messages(first, found.body, context, self.failure_after_first if fails else None):
            yield message

    async def GetContent(self, request: docs_pb2.GetContentRequest, context: Context) -> docs_pb2.GetContentResponse:
        """Leaves out what has more than a chunk, or is to fail in the middle, so that it is read with `ReadContent`."""
        found = await self._found(request, context)
        response = docs_pb2.GetContentResponse(info=found.info, not_modified=found.not_modified, private=self.private)
        if found.encoded is not None:
            response.encoded.CopyFrom(found.encoded)
        if found.range is not None:
            response.range.CopyFrom(found.range)
        goes_wrong = self.failure_after_first is not None or bool(self.extra_bytes or self.missing_bytes)
        if found.has_body and (len(found.body) > self.chunk_bytes or goes_wrong):
            response.data_omitted = True
        elif found.has_body:
            response.body.data = found.body
        return response

    async def _found(self, request: ReadRequest, context: Context) -> Found:
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata() or ()))
        await self._fail_as_told(request, context)
        path = next((p for p in (request.path, f"{request.path}/index.html".lstrip("/")) if p in self.files), None)
        if request.path.endswith("/"):
            path = f"{request.path}index.html"
        if path is None or path not in self.files:
            await self._missing(request, context)
        media_type, content = self.files[str(path)]
        if request.read_limit and self.part_content is not None:
            content = self.part_content
        info = docs_pb2.ContentInfo(
            path=path,
            revision=request.revision or REVISION,
            content_type=media_type,
            size_bytes=len(content),
            etag=etag_of(content),
        )
        if self.last_modified is not None:
            info.last_modified.FromDatetime(self.last_modified)
        is_part = bool(request.read_offset or request.read_limit)
        held = {tag.removeprefix("W/") for tag in request.if_none_match}
        encoded, body = None, content
        if not is_part and docs_pb2.CONTENT_ENCODING_GZIP in request.accept_encodings and path in self.gzipped:
            body = self.gzipped[str(path)]
            encoded = docs_pb2.EncodedContent(
                encoding=docs_pb2.CONTENT_ENCODING_GZIP, size_bytes=len(body), etag=etag_of(body)
            )
        if held & {info.etag, "*", etag_of(body)}:
            return Found(info, None if info.etag in held else encoded, None, b"", not_modified=True)
        start = max(0, len(content) + request.read_offset) if request.read_offset < 0 else request.read_offset
        if start >= len(content) > 0:
            size = str(len(content))
            await context.abort_with_status(
                status(grpc.StatusCode.OUT_OF_RANGE, "past the end", "RANGE_NOT_SATISFIABLE", size_bytes=size)
            )
        part = None
        if is_part:
            body = content[start : start + request.read_limit] if request.read_limit else content[start:]
            part = docs_pb2.ContentRange(offset=start, length=len(body)) if len(body) < len(content) else None
        return Found(info, encoded, part, body, has_body=request.view != docs_pb2.CONTENT_VIEW_INFO)

    async def _messages(
        self, first: docs_pb2.ReadContentResponse, part: bytes, context: Context, failure: grpc.Status | None
    ) -> AsyncIterator[docs_pb2.ReadContentResponse]:
        part = part[: len(part) - self.missing_bytes] + self.extra_bytes
        first.body.data = part[: self.chunk_bytes]
        yield first
        if failure:
            await context.abort_with_status(failure)
        try:
            for at in range(self.chunk_bytes, len(part), self.chunk_bytes):
                if self.gate:
                    self.waiting += 1
                    await self.gate.wait()
                message = docs_pb2.ReadContentResponse()
                message.body.data = part[at : at + self.chunk_bytes]
                yield message
                self.sent_messages += 1
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            raise

    async def _fail_as_told(self, request: ReadRequest, context: Context) -> None:
        if self.failure:
            await context.abort_with_status(self.failure)
        if request.revision and self.gone_revisions:
            self.gone_revisions -= 1
            await context.abort_with_status(status(grpc.StatusCode.NOT_FOUND, "it is gone", "REVISION_NOT_FOUND"))

    async def _missing(self, request: ReadRequest, context: Context) -> NoReturn:
        revision = request.revision or REVISION
        await context.abort_with_status(
            status(grpc.StatusCode.NOT_FOUND, f"no {request.path!r}", "CONTENT_NOT_FOUND", revision=revision)
        )

    async def GetSiteMetadata(
        self, request: docs_pb2.GetSiteMetadataRequest, context: Context
    ) -> docs_pb2.GetSiteMetadataResponse:
        self.metadata.append(dict(context.invocation_metadata() or ()))
        if self.failure:
            await context.abort_with_status(self.failure)
        metadata = docs_pb2.SiteMetadata(site_name=f"Docs of {request.entity.name}", files=["index.html"])
        return docs_pb2.GetSiteMetadataResponse(metadata=metadata, revision=REVISION)

    async def GetEntityMetadata(
        self, request: docs_pb2.GetEntityMetadataRequest, context: Context
    ) -> docs_pb2.GetEntityMetadataResponse:
        if self.failure:
            await context.abort_with_status(self.failure)
        return docs_pb2.GetEntityMetadataResponse()


StreamSync = Callable[[builds_pb2.StreamSyncRequest, Context], AsyncIterator[builds_pb2.StreamSyncResponse]]
SyncSite = Callable[[builds_pb2.SyncSiteRequest, Context], Awaitable[builds_pb2.SyncSiteResponse]]
WatchBuild = Callable[[builds_pb2.WatchBuildRequest, Context], AsyncIterator[builds_pb2.WatchBuildResponse]]


@dataclass
class Builds(builds_pb2_grpc.BuildServiceServicer):
    """Does what a test says."""

    stream: StreamSync | None = None
    sync: SyncSite | None = None
    watch: WatchBuild | None = None
    stream_requests: list[builds_pb2.StreamSyncRequest] = field(default_factory=list)

    async def StreamSync(
        self, request: builds_pb2.StreamSyncRequest, context: Context
    ) -> AsyncIterator[builds_pb2.StreamSyncResponse]:
        self.stream_requests.append(request)
        assert self.stream
        async for message in self.stream(request, context):
            yield message

    async def SyncSite(self, request: builds_pb2.SyncSiteRequest, context: Context) -> builds_pb2.SyncSiteResponse:
        assert self.sync
        return await self.sync(request, context)

    async def WatchBuild(
        self, request: builds_pb2.WatchBuildRequest, context: Context
    ) -> AsyncIterator[builds_pb2.WatchBuildResponse]:
        assert self.watch
        async for message in self.watch(request, context):
            yield message


class Sites(sites_pb2_grpc.SiteServiceServicer):
    """Counts and fails the calls it gets."""

    def __init__(self) -> None:
        self.failures: list[grpc.Status] = []
        self.calls = 0

    async def GetSite(self, request: sites_pb2.GetSiteRequest, context: Context) -> sites_pb2.GetSiteResponse:
        await self._count(context)
        return sites_pb2.GetSiteResponse(site=sites_pb2.Site(title="A site"))

    async def RollbackSite(
        self, request: sites_pb2.RollbackSiteRequest, context: Context
    ) -> sites_pb2.RollbackSiteResponse:
        await self._count(context)
        return sites_pb2.RollbackSiteResponse()

    async def _count(self, context: Context) -> None:
        self.calls += 1
        if self.failures:
            await context.abort_with_status(self.failures.pop(0))


class Tokens(auth_pb2_grpc.AuthServiceServicer):
    """Makes limited tokens, or fails as told."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        self.failure: grpc.Status | None = None
        self.response = auth_pb2.CreateLimitedTokenResponse()

    async def CreateLimitedToken(
        self, request: auth_pb2.CreateLimitedTokenRequest, context: Context
    ) -> auth_pb2.CreateLimitedTokenResponse:
        sent = dict(context.invocation_metadata() or ())
        self.requests.append((str(sent.get("authorization", "")), request.held_token))
        if self.failure:
            await context.abort_with_status(self.failure)
        return self.response


@dataclass
class Server:
    """A running gRPC server."""

    target: str
    docs: Docs
    builds: Builds
    sites: Sites
    tokens: Tokens
    health: health.aio.HealthServicer
    server: grpc.aio.Server


@asynccontextmanager
async def running_server(port: int = 0) -> AsyncIterator[Server]:
    """Run a server with servicers that a test may change at any time."""
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    docs, builds, sites, healthy = Docs(), Builds(), Sites(), health.aio.HealthServicer()
    tokens = Tokens()
    auth_pb2_grpc.add_AuthServiceServicer_to_server(tokens, server)
    docs_pb2_grpc.add_DocsServiceServicer_to_server(docs, server)
    builds_pb2_grpc.add_BuildServiceServicer_to_server(builds, server)
    sites_pb2_grpc.add_SiteServiceServicer_to_server(sites, server)
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await healthy.set("", health_pb2.HealthCheckResponse.SERVING)
    try:
        yield Server(f"127.0.0.1:{port}", docs, builds, sites, tokens, healthy, server)
    finally:
        await server.stop(None)


@dataclass
class Bridge:
    """A running bridge."""

    url: str
    stop: asyncio.Event
    serving: asyncio.Task[None]

    @property
    def api(self) -> str:
        return self.url + MOUNT

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    async def raw(self, request: bytes) -> bytes:
        """Send bytes and return all that comes until the other side closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            return await asyncio.wait_for(reader.read(), 10)
        finally:
            writer.close()

    async def get(self, target: str, *headers: str, method: str = "GET") -> bytes:
        """Send a request with a target exactly as given and return the whole answer."""
        lines = [f"{method} {target} HTTP/1.1", "host: docs.test", "connection: close", *headers, "", ""]
        return await self.raw("\r\n".join(lines).encode())


@asynccontextmanager
async def running_bridge(target: str, *, drain_seconds: float = 5.0, **settings: object) -> AsyncIterator[Bridge]:
    """Run a bridge on a free port until the end of the block."""
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    serving = asyncio.create_task(
        serve_bridge(
            BridgeSettings(server_target=target, **{"cache_bytes": 0, **settings}),  # type: ignore[arg-type] # the dataclass checks nothing a test relies on
            ("127.0.0.1", 0),
            ready=listening.set_result,
            stop=stop,
            drain_seconds=drain_seconds,
        )
    )
    await asyncio.wait((serving, listening), return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        await serving
    try:
        yield Bridge(await listening, stop, serving)
    finally:
        stop.set()
        await asyncio.wait_for(serving, 30)
