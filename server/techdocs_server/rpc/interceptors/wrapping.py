"""Putting code around every call, of either kind that this service has."""

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
Continuation: TypeAlias = "Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]"

# Health and reflection must answer whatever else is wrong, so our interceptors leave them alone.
_OWN_PREFIX = "/techdocs."


@dataclass(frozen=True, slots=True)
class Call:
    """One call being served. ``method`` is like ``/techdocs.v1.DocsService/GetContent``.

    ``request`` is a message inside of `ParsingInterceptor`, and bytes outside of it.
    """

    method: str
    request: Message
    context: Context


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
                async with self.around(Call(method, request, context)):
                    return await behaviour(request, context)

            return serve

        def stream(behaviour: Stream) -> Stream:
            async def serve(request: Message, context: Context) -> AsyncIterator[Message]:
                async with self.around(Call(method, request, context)):
                    async for response in behaviour(request, context):
                        yield response

            return serve

        return wrapped(handler, unary=unary, stream=stream)


def wrapped(handler: Handler, *, unary: Callable[[Unary], Unary], stream: Callable[[Stream], Stream]) -> Handler:
    """Return a handler whose behaviour went through the wrapper of its kind.

    Raises `TypeError` for a client stream: this contract has none yet, and one
    that slipped past the interceptors would be unguarded.
    """
    if handler.request_streaming:
        raise TypeError("client streams have no interceptors yet")
    # The stubs know synchronous behaviours only; on grpc.aio servers they are asynchronous.
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
