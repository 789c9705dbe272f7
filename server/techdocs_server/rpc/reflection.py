"""Server reflection in both versions, with methods describable.

grpcio-reflection serves v1alpha only and knows no method symbols. The two
versions have the same messages in two packages, so one servicer answers both; the
descriptor of v1 is that of v1alpha with the package renamed.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from typing import Any, cast

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha._async import ReflectionServicer

V1ALPHA = "grpc.reflection.v1alpha.ServerReflection"
V1 = "grpc.reflection.v1.ServerReflection"


_Requests = AsyncIterable[reflection_pb2.ServerReflectionRequest]
_Responses = AsyncIterator[reflection_pb2.ServerReflectionResponse]


class DescribingReflection:
    """Answers as grpcio-reflection does, and a request for a method as one for its service."""

    def __init__(self, services: Sequence[str]) -> None:
        # The stubs take the asynchronous generator for a coroutine.
        self._answer = cast(
            "Callable[[_Requests, object], _Responses]", ReflectionServicer(services).ServerReflectionInfo
        )

    async def answer(self, requests: _Requests, context: object) -> _Responses:
        """Serve one stream of requests."""

        async def described() -> AsyncIterator[reflection_pb2.ServerReflectionRequest]:
            async for request in requests:
                if request.HasField("file_containing_symbol"):
                    request.file_containing_symbol = _service_of(request.file_containing_symbol)
                yield request

        async for response in self._answer(described(), context):
            yield response


def _service_of(symbol: str) -> str:
    """Return the service of a method's full name, and any other symbol as it is."""
    service, _, method = symbol.rpartition(".")
    try:
        is_method = method in descriptor_pool.Default().FindServiceByName(service).methods_by_name
    except KeyError:
        is_method = False
    return service if is_method else symbol


def add_reflection(server: grpc.aio.Server, services: Sequence[str]) -> None:
    """Serve reflection of these services, and of itself, in both versions."""
    _add_v1_descriptor()
    reflection = DescribingReflection([*services, V1ALPHA, V1])
    handler = grpc.stream_stream_rpc_method_handler(
        cast("Any", reflection.answer),
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    for name in (V1ALPHA, V1):
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": handler}),)
        )


def _add_v1_descriptor() -> None:
    pool = descriptor_pool.Default()
    try:
        pool.FindServiceByName(V1)
    except KeyError:
        alpha = descriptor_pb2.FileDescriptorProto()
        reflection_pb2.DESCRIPTOR.CopyToProto(alpha)
        _rename(alpha)
        pool.Add(alpha)


def _rename(file: descriptor_pb2.FileDescriptorProto) -> None:
    old, new = ".grpc.reflection.v1alpha.", ".grpc.reflection.v1."
    file.package = "grpc.reflection.v1"
    file.name = "grpc/reflection/v1/reflection.proto"
    for message in file.message_type:
        for field in message.field:
            if not field.type_name:
                continue  # setting it, even to nothing, would make a scalar field a message's
            field.type_name = field.type_name.replace(old, new)
    for service in file.service:
        for method in service.method:
            method.input_type = method.input_type.replace(old, new)
            method.output_type = method.output_type.replace(old, new)
