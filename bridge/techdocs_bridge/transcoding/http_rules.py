"""Reads one google.api.http annotation into routes, refusing at start what could not be served.

Rules from the comments of google/api/http.proto: a variable names a singular
field of a primitive type, ``body`` and ``response_body`` name top-level fields,
additional bindings do not nest. Streams of requests have no HTTP form here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from techdocs.v1 import openapi_pb2

from techdocs_bridge.transcoding.fields import is_map, is_output_only
from techdocs_bridge.transcoding.path_template import PathTemplate

ANY_METHOD = "*"
"""The custom pattern kind that leaves the HTTP method open."""


class RouteInvalid(ValueError):
    """An annotation cannot be served: a defect of the contract, found at start."""

    def __init__(self, method: str, problem: str) -> None:
        super().__init__(f"{method} {problem}")


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One HTTP binding of one RPC. Compares by identity, so it may key a cache."""

    http_method: str
    template: PathTemplate
    method: MethodDescriptor
    body: str
    """Request field the body fills; ``*`` for all that the path does not bind; empty for no body."""
    response_body: str
    """Response field that is the answer; empty for the whole message."""
    binding: int
    """0 for the primary binding of the method, then its additional ones."""
    operation: openapi_pb2.OpenAPIOperation

    @property
    def full_name(self) -> str:
        """The RPC's name, as ``techdocs.v1.DocsService.ReadContent``."""
        return self.method.full_name

    @property
    def grpc_path(self) -> str:
        """The RPC's path on the wire, as ``/techdocs.v1.DocsService/ReadContent``."""
        return f"/{self.method.containing_service.full_name}/{self.method.name}"

    @property
    def server_streaming(self) -> bool:
        """Whether the answer is a stream of messages."""
        return self.method.server_streaming

    @property
    def idempotent(self) -> bool:
        """Whether the contract says that calling twice does no more than calling once."""
        return self.method.GetOptions().idempotency_level in (MethodOptions.NO_SIDE_EFFECTS, MethodOptions.IDEMPOTENT)


def routes_of(method: MethodDescriptor) -> Iterator[Route]:
    """Yield the routes of a method, none when it has no annotation.

    Raises `RouteInvalid` or `TemplateInvalid` naming the method and the rule broken.
    """
    options = method.GetOptions()
    if not options.HasExtension(annotations_pb2.http):
        return
    if method.client_streaming:
        raise RouteInvalid(method.full_name, "takes a stream of requests and cannot have an HTTP binding")
    primary = options.Extensions[annotations_pb2.http]
    operations = options.Extensions[openapi_pb2.openapi]
    for binding, rule in enumerate((primary, *primary.additional_bindings)):
        if binding and rule.additional_bindings:
            raise RouteInvalid(method.full_name, "nests additional_bindings")
        operation = operations[binding] if binding < len(operations) else _derived(method, binding)
        yield _route(method, rule, binding, operation)


def _route(
    method: MethodDescriptor, rule: http_pb2.HttpRule, binding: int, operation: openapi_pb2.OpenAPIOperation
) -> Route:
    pattern = rule.WhichOneof("pattern")
    if pattern is None:
        raise RouteInvalid(method.full_name, "has an HTTP binding without a pattern")
    if pattern == "custom":
        http_method, path = rule.custom.kind, rule.custom.path
    else:
        http_method, path = pattern.upper(), str(getattr(rule, pattern))
    if not http_method:
        raise RouteInvalid(method.full_name, "has a custom HTTP binding without a kind")
    template = PathTemplate.parse(path)
    for variable in template.variables:
        _check_variable(method, variable)
    if rule.body not in ("", "*"):
        _check_field(method, method.input_type, rule.body)
    if rule.response_body:
        _check_field(method, method.output_type, rule.response_body)
    return Route(http_method, template, method, rule.body, rule.response_body, binding, operation)


def _check_field(method: MethodDescriptor, message: Descriptor, name: str) -> FieldDescriptor:
    field = message.fields_by_name.get(name)
    if field is None:
        raise RouteInvalid(method.full_name, f"maps HTTP to {name!r}, which {message.full_name} does not have")
    return field


def _check_variable(method: MethodDescriptor, variable: str) -> None:
    message: Descriptor | None = method.input_type
    *parents, leaf = variable.split(".")
    for name in parents:
        message = _check_field(method, message, name).message_type if message else None
    if message is None:
        raise RouteInvalid(method.full_name, f"binds {variable!r}, a field inside something that is no message")
    field = _check_field(method, message, leaf)
    if field.is_repeated or is_map(field) or field.message_type is not None or is_output_only(field):
        raise RouteInvalid(method.full_name, f"binds {variable!r}, which is not a settable singular primitive field")


def _derived(method: MethodDescriptor, binding: int) -> openapi_pb2.OpenAPIOperation:
    """Name an operation after its method, for a binding that the contract says nothing more of."""
    name = method.name[:1].lower() + method.name[1:]
    return openapi_pb2.OpenAPIOperation(
        operation_id=name if binding == 0 else f"{name}{binding + 1}",
        tag=method.containing_service.name.removesuffix("Service") or method.containing_service.name,
    )
