"""A gRPC client of the whole contract, and what its failed calls say."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar, cast
from urllib.parse import quote

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2
from techdocs.v1 import (
    admin_pb2_grpc,
    auth_pb2_grpc,
    builds_pb2_grpc,
    capabilities_pb2_grpc,
    docs_pb2_grpc,
    entity_pb2,
    publish_pb2_grpc,
    sites_pb2_grpc,
)

T = TypeVar("T")
Detail = TypeVar("Detail", bound=Message)

_MAX_RECEIVE_BYTES = 64 * 1024 * 1024
_DETAILS_KEY = "grpc-status-details-bin"


@dataclass(frozen=True)
class Client:
    """Stubs of every service over one connection."""

    channel: grpc.aio.Channel
    docs: docs_pb2_grpc.DocsServiceAsyncStub
    builds: builds_pb2_grpc.BuildServiceAsyncStub
    publish: publish_pb2_grpc.PublishServiceAsyncStub
    sites: sites_pb2_grpc.SiteServiceAsyncStub
    admin: admin_pb2_grpc.AdminServiceAsyncStub
    capabilities: capabilities_pb2_grpc.CapabilitiesServiceAsyncStub
    auth: auth_pb2_grpc.AuthServiceAsyncStub
    check_health: grpc.aio.UnaryUnaryMultiCallable[health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse]
    watch_health: grpc.aio.UnaryStreamMultiCallable[health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse]


@asynccontextmanager
async def connected(target: str, *, service_config: str = "") -> AsyncIterator[Client]:
    """Connect to host:port, or to what else gRPC knows, until the context ends."""
    options: list[tuple[str, str | int]] = [
        ("grpc.max_receive_message_length", _MAX_RECEIVE_BYTES),
        # Channels of one process to one address share a connection otherwise.
        ("grpc.use_local_subchannel_pool", 1),
    ]
    if service_config:
        backoff = [(f"grpc.{name}_reconnect_backoff_ms", 100) for name in ("initial", "min", "max")]
        options += [("grpc.service_config", service_config), *backoff]
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        yield Client(
            channel,
            docs_pb2_grpc.DocsServiceStub(channel),
            builds_pb2_grpc.BuildServiceStub(channel),
            publish_pb2_grpc.PublishServiceStub(channel),
            sites_pb2_grpc.SiteServiceStub(channel),
            admin_pb2_grpc.AdminServiceStub(channel),
            capabilities_pb2_grpc.CapabilitiesServiceStub(channel),
            auth_pb2_grpc.AuthServiceStub(channel),
            channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            ),
            channel.unary_stream(
                "/grpc.health.v1.Health/Watch",
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            ),
        )


def component(name: str) -> entity_pb2.EntityRef:
    """Return the reference of a component in the default namespace."""
    return entity_pb2.EntityRef(namespace="default", kind="component", name=name)


async def collected(stream: AsyncIterable[T]) -> list[T]:
    """Read a stream to its end."""
    return [message async for message in stream]


@dataclass(frozen=True)
class Problem:
    """How a call failed, as its caller sees it."""

    code: grpc.StatusCode
    message: str
    status: status_pb2.Status
    trailing_bytes: int
    """Everything of the answer's trailers as HTTP/2 carries them, the message percent-encoded."""

    @property
    def info(self) -> error_details_pb2.ErrorInfo:
        """The ErrorInfo; empty when there is none."""
        return next(iter(self.details(error_details_pb2.ErrorInfo)), error_details_pb2.ErrorInfo())

    @property
    def reason(self) -> str:
        """The reason; empty when the status has none."""
        return self.info.reason if self.info.domain == "techdocs" else ""

    @property
    def metadata(self) -> Mapping[str, str]:
        """ErrorInfo.metadata."""
        return dict(self.info.metadata)

    @property
    def retry_seconds(self) -> float | None:
        """When to come back, if the server says so."""
        found = next(iter(self.details(error_details_pb2.RetryInfo)), None)
        return None if found is None else found.retry_delay.ToNanoseconds() / 1e9

    @property
    def violations(self) -> Mapping[str, str]:
        """Field path to the rule it breaks."""
        requests = self.details(error_details_pb2.BadRequest)
        return {violation.field: violation.description for bad in requests for violation in bad.field_violations}

    @property
    def everything(self) -> str:
        """All text a caller can get at."""
        return f"{self.message} {self.status}"

    def details(self, kind: type[Detail]) -> Iterator[Detail]:
        """Yield the details of one kind."""
        for packed in self.status.details:
            detail = kind()
            if packed.Unpack(detail):
                yield detail


async def problem(call: Awaitable[object]) -> Problem:
    """Await a call that must fail, of either kind of client, and say how. Raises `AssertionError` when it succeeds."""
    try:
        answer = await call
    except grpc.RpcError as error:
        return problem_of(cast("grpc.aio.AioRpcError", error))
    raise AssertionError(f"the call succeeded: {answer!r}")


async def problem_at_end(stream: AsyncIterable[T]) -> tuple[list[T], Problem]:
    """Read a stream that must fail; return what came before that, and how it failed."""
    messages: list[T] = []
    try:
        async for message in stream:
            messages.append(message)
    except grpc.aio.AioRpcError as error:
        return messages, problem_of(error)
    raise AssertionError(f"the stream ended well after {len(messages)} messages")


def problem_of(error: grpc.aio.AioRpcError) -> Problem:
    """Return how a call failed."""
    status, size = status_pb2.Status(), 0
    for key, value in error.trailing_metadata() or ():
        size += len(key) + len(value)
        if key == _DETAILS_KEY and isinstance(value, bytes):
            status.ParseFromString(value)
    message = error.details() or ""
    size += len("grpc-message") + len(quote(message, safe=""))
    return Problem(error.code(), message, status, size)
