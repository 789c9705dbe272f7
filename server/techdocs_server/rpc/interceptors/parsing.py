"""Turning bytes into request messages, where a failure can still be told as one of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import grpc
from google.protobuf.message import DecodeError, Message

from techdocs_server.domain.errors import FieldInvalid, FieldViolation
from techdocs_server.rpc.interceptors.wrapping import Continuation, Handler, MessageInterceptor


class ParsingInterceptor(MessageInterceptor):
    """Parses requests inside the other interceptors.

    gRPC would parse before any of them, and answer with the exception's text. So
    whatever stands outside of this one sees bytes where a request will be.
    """

    def taken(self, request: Message, handler: Handler) -> Message:
        """See `MessageInterceptor`."""
        deserialize = cast("Callable[[bytes], Message]", handler.request_deserializer)
        try:
            return deserialize(cast("bytes", request))
        except DecodeError as error:
            raise FieldInvalid(FieldViolation("", "the request is not a message of this method")) from error

    async def intercept_service(self, continuation: Continuation, details: grpc.HandlerCallDetails) -> Handler | None:
        """See grpc.aio.ServerInterceptor."""
        inner = await continuation(details)

        async def found(_: grpc.HandlerCallDetails) -> Handler | None:
            return inner

        whole = await super().intercept_service(found, details)
        return whole if whole is inner else cast("Handler", cast("Any", whole)._replace(request_deserializer=None))
