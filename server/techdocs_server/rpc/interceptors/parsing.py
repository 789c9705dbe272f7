"""Turning bytes into the request message, where a failure can still be told as one of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import grpc
from google.protobuf.message import DecodeError, Message

from techdocs_server.domain.errors import FieldInvalid, FieldViolation
from techdocs_server.rpc.interceptors.wrapping import Context, Continuation, Handler, Stream, Unary, wrapped


class ParsingInterceptor(grpc.aio.ServerInterceptor):
    """Parses requests inside the other interceptors.

    gRPC would parse before any of them, and answer with the exception's text. So
    whatever stands outside of this one sees bytes where the request will be.
    """

    async def intercept_service(self, continuation: Continuation, details: grpc.HandlerCallDetails) -> Handler | None:
        """See grpc.aio.ServerInterceptor."""
        handler = await continuation(details)
        if handler is None or not details.method.startswith("/techdocs."):
            return handler
        deserialize = cast("Callable[[bytes], Message]", handler.request_deserializer)

        def parsed(raw: object) -> Message:
            try:
                return deserialize(cast("bytes", raw))
            except DecodeError as error:
                raise FieldInvalid(FieldViolation("", "the request is not a message of this method")) from error

        def unary(behaviour: Unary) -> Unary:
            async def serve(request: Message, context: Context) -> Message:
                return await behaviour(parsed(request), context)

            return serve

        def stream(behaviour: Stream) -> Stream:
            async def serve(request: Message, context: Context) -> AsyncIterator[Message]:
                async for response in behaviour(parsed(request), context):
                    yield response

            return serve

        whole = wrapped(handler, unary=unary, stream=stream)
        return cast("Handler", cast("Any", whole)._replace(request_deserializer=None))
