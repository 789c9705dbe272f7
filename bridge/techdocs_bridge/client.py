"""Calls to the TechDocs server: one channel, every method of the contract, no knowledge of what they mean.

A call always has a deadline. A method that the contract calls idempotent is tried a second time when the server could
not be reached or is shutting down, and nothing of an answer had come. Every failure leaves as `HTTPProblem`.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self

import grpc
from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2

from techdocs_bridge.settings import BridgeSettings
from techdocs_bridge.status import HTTPProblem, problem_from_rpc

_MIB = 1024 * 1024
_RECONNECT_WAIT_SECONDS = 1.0
_SETTLE_SECONDS = 1.0
_NOT_IDEMPOTENT = descriptor_pb2.MethodOptions.IDEMPOTENCY_UNKNOWN

_OPTIONS: tuple[tuple[str, str | int], ...] = (
    # Finds a dead connection while nothing is sent. The server permits a ping every 30 s, without calls too.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # A server that restarts is back within a second or two; gRPC's own pause begins at 1 s and grows to 120 s.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    # Of several servers each must be found again before the next one is restarted.
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # What waits here for a slow reader, of each stream. Left to itself gRPC measures the line and lets 16 MiB and more
    # wait; half a MiB is two chunks, and enough for 50 MB a second over a line with 10 ms there and back.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 512 * 1024),
    # The largest message is the metadata of a site: 50,000 paths of at most 1,024 bytes are 49 MiB.
    ("grpc.max_receive_message_length", 64 * _MIB),
    # Error details are below 4 KiB by contract; base64 and the message come on top.
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.absolute_max_metadata_size", 32 * 1024),
)

_UnaryCallable = grpc.aio.UnaryUnaryMultiCallable[Message, Message]
_StreamCallable = grpc.aio.UnaryStreamMultiCallable[Message, Message]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallContext:
    """What goes with a call besides its request."""

    request_id: str
    """Handed on as x-request-id, so that one id finds the log lines of both sides."""
    authorization: str = ""
    """Handed on as it came; empty for none. Printable ASCII."""
    deadline_seconds: float
    """For the whole call, a second attempt included."""

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What the server is sent beside the request."""
        pairs = (("x-request-id", self.request_id), ("authorization", self.authorization))
        return tuple(pair for pair in pairs if pair[1])


class ServerClient:
    """The channel to the server. Use it as an async context manager inside the loop that makes the calls."""

    def __init__(self, settings: BridgeSettings) -> None:
        """Connect lazily: a server that is not there yet is found when it comes."""
        if settings.server_ca is None:
            self._channel = grpc.aio.insecure_channel(settings.server_target, _options(settings.server_target))
        else:
            credentials = grpc.ssl_channel_credentials(settings.server_ca)
            self._channel = grpc.aio.secure_channel(
                settings.server_target, credentials, _options(settings.server_target)
            )
        self._unary: dict[str, _UnaryCallable] = {}
        self._streams: dict[str, _StreamCallable] = {}
        check: grpc.aio.UnaryUnaryMultiCallable[Message, health_pb2.HealthCheckResponse] = self._channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=_serialize,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        self._check_health = check

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._channel.close()

    async def call(self, method: MethodDescriptor, request: Message, context: CallContext) -> Message:
        """Call a method that answers with one message.

        Raises:
            HTTPProblem: the call failed.
        """
        call = self._unary.get(method.full_name) or self._unary_callable(method)
        end = time.monotonic() + context.deadline_seconds
        try:
            return await call(request, timeout=context.deadline_seconds, metadata=context.metadata)
        except grpc.aio.AioRpcError as error:
            if not await self._may_retry(method, error):
                raise problem_from_rpc(error) from error
        try:
            return await call(request, timeout=max(0.0, end - time.monotonic()), metadata=context.metadata)
        except grpc.aio.AioRpcError as error:
            raise problem_from_rpc(error) from error

    def stream(self, method: MethodDescriptor, request: Message, context: CallContext) -> ServerStream:
        """Return the stream of a method that answers with many messages. The call begins with its first `read`."""
        call = self._streams.get(method.full_name) or self._stream_callable(method)
        return ServerStream(partial(self._may_retry, method), call, request, context)

    async def serving(self, *, within_seconds: float) -> bool:
        """Return whether the server says of itself that it serves."""
        try:
            answer = await self._check_health(health_pb2.HealthCheckRequest(), timeout=within_seconds)
        except grpc.aio.AioRpcError:
            return False
        return answer.status == health_pb2.HealthCheckResponse.SERVING

    async def _may_retry(self, method: MethodDescriptor, error: grpc.aio.AioRpcError) -> bool:
        """Say whether a second attempt is allowed and has a chance, after waiting a moment for a connection."""
        if method.GetOptions().idempotency_level == _NOT_IDEMPOTENT or error.code() is not grpc.StatusCode.UNAVAILABLE:
            return False
        # A store or catalog that does not answer gave its own time to come back, and it is not now.
        if problem_from_rpc(error).reason not in ("", "SERVER_DRAINING"):
            return False
        try:
            await asyncio.wait_for(self._channel.channel_ready(), _RECONNECT_WAIT_SECONDS)
        except TimeoutError:
            return False
        return True

    def _unary_callable(self, method: MethodDescriptor) -> _UnaryCallable:
        response = message_factory.GetMessageClass(method.output_type)
        callable_: _UnaryCallable = self._channel.unary_unary(
            _path(method), request_serializer=_serialize, response_deserializer=response.FromString
        )
        return self._unary.setdefault(method.full_name, callable_)

    def _stream_callable(self, method: MethodDescriptor) -> _StreamCallable:
        response = message_factory.GetMessageClass(method.output_type)
        callable_: _StreamCallable = self._channel.unary_stream(
            _path(method), request_serializer=_serialize, response_deserializer=response.FromString
        )
        return self._streams.setdefault(method.full_name, callable_)


class ServerStream:
    """The messages of one streaming call. As a context manager it cancels what is left of the call."""

    def __init__(
        self,
        may_retry: Callable[[grpc.aio.AioRpcError], Awaitable[bool]],
        call: _StreamCallable,
        request: Message,
        context: CallContext,
    ) -> None:
        self._may_retry = may_retry
        self._callable = call
        self._request = request
        self._context = context
        self._end = time.monotonic() + context.deadline_seconds
        self._call: grpc.aio.UnaryStreamCall[Message, Message] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    async def read(self) -> Message | None:
        """Return the next message, or None when the stream has ended well.

        Raises:
            HTTPProblem: the call failed. Messages read before it stay good.
        """
        if self._call is not None:
            return await self._read(self._call)
        try:
            return await self._next(self._begin())
        except grpc.aio.AioRpcError as error:
            if not await self._may_retry(error):
                raise problem_from_rpc(error) from error
        return await self._read(self._begin())

    async def settle(self) -> None:
        """Let a call end by itself when nothing of use can come any more: the server then counts no cancelled call."""
        try:
            async with asyncio.timeout(_SETTLE_SECONDS):
                await self.read()
        except (HTTPProblem, TimeoutError):
            pass

    def cancel(self) -> None:
        """End the call. What the server does for others goes on. May be called twice, and after the end."""
        if self._call is not None:
            self._call.cancel()

    def _begin(self) -> grpc.aio.UnaryStreamCall[Message, Message]:
        left = max(0.0, self._end - time.monotonic())
        self._call = self._callable(self._request, timeout=left, metadata=self._context.metadata)
        return self._call

    async def _read(self, call: grpc.aio.UnaryStreamCall[Message, Message]) -> Message | None:
        try:
            return await self._next(call)
        except grpc.aio.AioRpcError as error:
            raise problem_from_rpc(error) from error

    @staticmethod
    async def _next(call: grpc.aio.UnaryStreamCall[Message, Message]) -> Message | None:
        message = await call.read()
        return message if isinstance(message, Message) else None


def _options(target: str) -> tuple[tuple[str, str | int], ...]:
    """Return the options of a channel that spreads calls over all servers of a target, those that drain left out.

    A server that is alone is called while it drains too: what it says of itself is more than that it is gone.
    """
    config: dict[str, object] = {"loadBalancingConfig": [{"round_robin": {}}]}
    if "," in target or target.startswith("dns:"):
        config["healthCheckConfig"] = {"serviceName": ""}
    return ("grpc.service_config", json.dumps(config)), *_OPTIONS


def _path(method: MethodDescriptor) -> str:
    service = method.containing_service
    return f"/{service.full_name}/{method.name}"


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()
