"""Calling any method of the contract by its path: what tests do that leave none out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc
from google.protobuf import message_factory
from google.protobuf.message import Message
from techdocs_bridge.transcoding.routes import services

from tests.support.rpc_client import Problem, problem_of

METHODS = {
    f"/{service.full_name}/{method.name}": method
    for service in services()
    if service.full_name.startswith("techdocs.v1.")
    for method in service.methods
}
"""Every method of every service, by its path."""

Metadata = Sequence[tuple[str, str | bytes]]


def request_of(method: str, /, **fields: object) -> Message:
    """Return a request of a method, by its path."""
    make: Any = message_factory.GetMessageClass(METHODS[method].input_type)
    request: Message = make(**fields)
    return request


async def failure(channel: Any, path: str, request: Message, given: Metadata) -> Problem | None:
    """Call a method and return how it failed, None when it did not. Of a stream of answers the first is enough."""
    method = METHODS[path]
    kind = f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}"
    call = getattr(channel, kind)(
        path,
        request_serializer=type(request).SerializeToString,
        response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
    )
    begun = call(iter([]) if method.client_streaming else request, metadata=given, timeout=60)
    try:
        if method.server_streaming:
            await begun.read()
            begun.cancel()
        else:
            await begun
    except grpc.aio.AioRpcError as error:
        return problem_of(error)
    return None
