"""Turns what an HTTP request says into the request message of its RPC.

The path fills the fields that the template names, the body the field or fields
that the annotation gives it, and the query the rest. A request that does not
fit is refused whole, with every fault named by field; nothing is guessed,
dropped or silently overridden.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from techdocs_bridge.transcoding.fields import HTTP_BODY, descriptor_of, is_http_body
from techdocs_bridge.transcoding.http_rules import Route
from techdocs_bridge.transcoding.json_body import BODY, BodyReader, parse_json
from techdocs_bridge.transcoding.query import apply_query
from techdocs_bridge.transcoding.scalars import ValueInvalid, from_text
from techdocs_bridge.transcoding.violations import RequestInvalid, UnsupportedMediaType, Violation, Violations

__all__ = ["RequestInvalid", "UnsupportedMediaType", "Violation", "build_request"]

_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class _Variable:
    """Where one path variable goes."""

    path: str
    parents: tuple[str, ...]
    field: FieldDescriptor


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is the same for all requests of a route."""

    message_class: type[Message]
    variables: tuple[_Variable, ...]
    bound: frozenset[str]


def build_request(
    route: Route,
    variables: dict[str, str],
    *,
    query: bytes,
    body: bytes,
    content_type: str | None,
    ignore_unknown_query: bool = False,
) -> Message:
    """Return the request message of a route.

    `variables` come from `RouteTable.find`, `query` is what follows the ``?`` as it
    came on the wire, `content_type` the header's value. `ignore_unknown_query`
    lets query parameters pass that name no field. An empty body is ``{}`` where it
    is the whole request, and leaves a named field unset. Bodies of JSON are
    bounded (`json_body.MAX_JSON_BYTES`), raw ones are for the caller to bound.

    Raises `RequestInvalid` with up to `MAX_VIOLATIONS` faults (HTTP 400), and
    `UnsupportedMediaType` for a body that is neither JSON nor asked for as raw
    bytes (HTTP 415). Rules of values, such as patterns, are the server's to check.
    """
    plan = _plan(route)
    message = plan.message_class()
    violations = Violations()
    for variable in plan.variables:
        _bind(message, variable, variables[variable.path], violations)
    if route.body:
        _read_body(message, route, plan, body, content_type, violations)
    elif body.strip() not in (b"", b"{}"):
        violations.add(BODY, "must be empty: this method takes its parameters from the path and the query")
    if query:
        apply_query(message, route, query, violations, ignore_unknown=ignore_unknown_query)
    violations.raise_if_any()
    return message


@lru_cache(maxsize=1024)
def _plan(route: Route) -> _Plan:
    variables = []
    for path in route.template.variables:
        *parents, name = path.split(".")
        message = route.method.input_type
        for parent in parents:
            nested = message.fields_by_name[parent].message_type
            if nested is None:
                raise TypeError(f"{route.full_name} binds {path} through a field that is no message")
            message = nested
        variables.append(_Variable(path, tuple(parents), message.fields_by_name[name]))
    message_class = message_factory.GetMessageClass(route.method.input_type)
    return _Plan(message_class, tuple(variables), frozenset(route.template.variables))


def _bind(message: Message, variable: _Variable, text: str, violations: Violations) -> None:
    try:
        value = from_text(variable.field, text)
    except ValueInvalid as error:
        violations.add(variable.path, str(error))
        return
    for parent in variable.parents:
        message = getattr(message, parent)
    setattr(message, variable.field.name, value)


def _read_body(
    message: Message, route: Route, plan: _Plan, body: bytes, content_type: str | None, violations: Violations
) -> None:
    field = None if route.body == "*" else descriptor_of(message).fields_by_name[route.body]
    raw = message if field is None else getattr(message, field.name) if is_http_body(field) else None
    if raw is not None and descriptor_of(raw).full_name == HTTP_BODY:
        raw.MergeFrom(type(raw)(content_type=content_type or "", data=body))
        return
    if body:
        _check_json(content_type)
    try:
        value = parse_json(body)
    except ValueInvalid as error:
        violations.add(BODY, str(error))
        return
    reader = BodyReader(violations, bound=plan.bound)
    if field is None:
        reader.read_message(message, value)
    elif body.strip():
        reader.read_field(message, field, value, path=field.json_name, proto_path=field.name)


def _check_json(content_type: str | None) -> None:
    """Let JSON pass, in any of its names, and a body without a type."""
    if not content_type:
        return
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [p.partition("=")[2].strip('"') for p in parameters if p.startswith("charset=")]
    is_json = media_type == _JSON or (media_type.startswith("application/") and media_type.endswith("+json"))
    if not is_json or any(charset != "utf-8" for charset in charsets):
        raise UnsupportedMediaType(content_type, (_JSON,))
