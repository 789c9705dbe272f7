"""Putting code around every call, of each kind that this service has."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import grpc
from google.protobuf.message import Message

# Quoted: at run time these classes have no type parameters.
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Unary = Callable[[Message, Context], Awaitable[Message]]
Stream = Callable[[Message, Context], AsyncIterator[Message]]
Upload = Callable[[AsyncIterator[Message], Context], Awaitable[Message]]
Continuation: TypeAlias = "Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]"

# Health and reflection must answer whatever else is wrong, so our interceptors leave them alone.
_OWN_PREFIX = "/techdocs."


@dataclass(frozen=True, slots=True)
class Call:
    """One call being served. ``method`` is like ``/techdocs.v1.DocsService/GetContent``."""

    method: str
    context: Context
    answers_once: bool = False
    """Whether the answer is one message, which comes with the status."""


class CallInterceptor(grpc.aio.ServerInterceptor):
    """An interceptor that is a context around each call of this service's own contract."""

    @abstractmethod
    def around(self, call: Call) -> AbstractAsyncContextManager[None]:
        """Return the context to run a call in. What it raises ends the call."""

    async def intercept_service(self, continuation: Continuation, details: grpc.HandlerCallDetails) -> Handler | None:
        """See grpc.aio.ServerInterceptor."""
        handler = await continuation(details)
        if handler is None or not details.method.startswith(_OWN_PREFIX):
            return handler
        method = details.method

        def unary(behaviour: Unary) -> Unary:
            async def serve(request: Message, context: Context) -> Message:
                async with self.around(Call(method, context, answers_once=True)):
                    return await behaviour(request, context)

            return serve

        def stream(behaviour: Stream) -> Stream:
            async def serve(request: Message, context: Context) -> AsyncIterator[Message]:
                async with self.around(Call(method, context)):
                    async for response in behaviour(request, context):
                        yield response

            return serve

        def upload(behaviour: Upload) -> Upload:
            async def serve(requests: AsyncIterator[Message], context: Context) -> Message:
                async with self.around(Call(method, context, answers_once=True)):
                    return await behaviour(requests, context)

            return serve

        return wrapped(handler, unary=unary, stream=stream, upload=upload)


class MessageInterceptor(grpc.aio.ServerInterceptor):
    """An interceptor of each message that a caller of this service's own contract sends."""

    @abstractmethod
    def taken(self, request: Message, handler: Handler) -> Message:
        """Return what goes on in place of a message. What it raises ends the call."""

    async def intercept_service(self, continuation: Continuation, details: grpc.HandlerCallDetails) -> Handler | None:
        """See grpc.aio.ServerInterceptor."""
        handler = await continuation(details)
        if handler is None or not details.method.startswith(_OWN_PREFIX):
            return handler
        inner = handler

        def unary(behaviour: Unary) -> Unary:
            async def serve(request: Message, context: Context) -> Message:
                return await behaviour(self.taken(request, inner), context)

            return serve

        def stream(behaviour: Stream) -> Stream:
            async def serve(request: Message, context: Context) -> AsyncIterator[Message]:
                async for response in behaviour(self.taken(request, inner), context):
                    yield response

            return serve

        def upload(behaviour: Upload) -> Upload:
            async def serve(requests: AsyncIterator[Message], context: Context) -> Message:
                return await behaviour(self._each(requests, inner), context)

            return serve

        return wrapped(handler, unary=unary, stream=stream, upload=upload)

    async def _each(self, requests: AsyncIterator[Message], handler: Handler) -> AsyncIterator[Message]:
        # Not a generator expression: that would open the stream at once, and gRPC warns of one that is opened and
        # not read because the call was refused.
        async for request in requests:
            yield self.taken(request, handler)


def wrapped(
    handler: Handler,
    *,
    unary: Callable[[Unary], Unary],
    stream: Callable[[Stream], Stream],
    upload: Callable[[Upload], Upload],
) -> Handler:
    """Return a handler whose behaviour went through the wrapper of its kind.

    Raises `TypeError` for streams in both directions: this contract has none, and one
    that slipped past the interceptors would be unguarded.
    """
    # The stubs know synchronous behaviours only; on grpc.aio servers they are asynchronous.
    if handler.request_streaming:
        if handler.response_streaming:
            raise TypeError("streams in both directions have no interceptors yet")
        return grpc.stream_unary_rpc_method_handler(
            cast("Any", upload(cast("Upload", handler.stream_unary))),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )
    if handler.response_streaming:
        return grpc.unary_stream_rpc_method_handler(
            cast("Any", stream(cast("Stream", handler.unary_stream))),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )
    return grpc.unary_unary_rpc_method_handler(
        cast("Any", unary(cast("Unary", handler.unary_unary))),
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )
