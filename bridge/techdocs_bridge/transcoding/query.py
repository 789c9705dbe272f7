"""Query parameters: every request field that neither the path nor the body fills.

A parameter is named by the path of its field, with JSON names or those of the
contract. Nothing is dropped in silence: a parameter that means nothing is
refused by name, because a mistyped filter that is ignored answers another
question than the one asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from techdocs_bridge.transcoding.fields import fields_by_any_name, is_map, is_output_only
from techdocs_bridge.transcoding.http_rules import Route
from techdocs_bridge.transcoding.percent import PercentInvalid, decode
from techdocs_bridge.transcoding.scalars import ValueInvalid, from_text
from techdocs_bridge.transcoding.violations import Violations, did_you_mean
from techdocs_bridge.transcoding.well_known import has_text_form, set_text

# Several times what the widest request of the contract can use.
MAX_PARAMETERS = 256
# Messages may contain themselves; parameters name fields to this depth.
_MAX_DEPTH = 4


@dataclass(frozen=True, slots=True)
class QueryParameter:
    """A field that the query may set: the fields that lead to it, itself last."""

    fields: tuple[FieldDescriptor, ...]

    @property
    def field(self) -> FieldDescriptor:
        """The field itself."""
        return self.fields[-1]

    @property
    def json_path(self) -> str:
        """Its name in JSON spelling, the one that documents use."""
        return ".".join(field.json_name for field in self.fields)

    @property
    def proto_path(self) -> str:
        """Its name in the contract's spelling."""
        return ".".join(field.name for field in self.fields)


@lru_cache(maxsize=1024)
def query_parameters(route: Route) -> tuple[QueryParameter, ...]:
    """Return all parameters of a route, in the order of the contract."""
    if route.body == "*":
        return ()
    bound = {*route.template.variables, route.body}
    return tuple(
        parameter
        for parameter in _leaves(route.method.input_type, ())
        if parameter.proto_path not in bound and parameter.fields[0].name != route.body
    )


def _leaves(message: Descriptor, parents: tuple[FieldDescriptor, ...]) -> Iterator[QueryParameter]:
    for field in message.fields:
        if is_output_only(field):
            continue
        nested = field.message_type
        if nested is None or (has_text_form(nested) and not is_map(field)):
            yield QueryParameter((*parents, field))
        elif not field.is_repeated and len(parents) + 1 < _MAX_DEPTH:
            yield from _leaves(nested, (*parents, field))


@lru_cache(maxsize=1024)
def _by_name(route: Route) -> dict[str, QueryParameter]:
    parameters = query_parameters(route)
    return {p.proto_path: p for p in parameters} | {p.json_path: p for p in parameters}


def apply_query(message: Message, route: Route, query: bytes, violations: Violations, *, ignore_unknown: bool) -> None:
    """Set the fields that a query names; `query` is what follows the ``?``, still encoded.

    Faults go to `violations` and leave their field unset. `ignore_unknown` skips
    names that are no field at all, for paths where others' parameters are customary.
    """
    seen: set[QueryParameter] = set()
    known = _by_name(route)
    for name, value in _pairs(query, violations):
        parameter = known.get(name)
        if parameter is None:
            problem = _refusal(route, name)
            if problem or not ignore_unknown:
                violations.add(name, problem or f"is not a field of this request{did_you_mean(name, known)}")
        elif parameter in seen and not parameter.field.is_repeated:
            violations.add(name, "is given more than once")
        else:
            seen.add(parameter)
            try:
                _set(message, parameter, value)
            except ValueInvalid as error:
                violations.add(name, str(error))


def _pairs(query: bytes, violations: Violations) -> Iterator[tuple[str, str]]:
    parts = [part for part in query.split(b"&", MAX_PARAMETERS + 1) if part]
    if len(parts) > MAX_PARAMETERS:
        violations.add("query", f"must not have more than {MAX_PARAMETERS} parameters")
        return
    for part in parts:
        raw_name, _, raw_value = part.replace(b"+", b" ").partition(b"=")
        name = "query"
        try:
            name = decode(raw_name)
            value = decode(raw_value)
        except PercentInvalid as error:
            violations.add(name, str(error))
        else:
            yield name, value


def _set(message: Message, parameter: QueryParameter, text: str) -> None:
    for field in parameter.fields:
        oneof = field.containing_oneof
        if oneof is not None and message.WhichOneof(oneof.name) not in (None, field.name):
            raise ValueInvalid(f"excludes {message.WhichOneof(oneof.name)}, which is given too")
        if field is not parameter.field:
            message = getattr(message, field.name)
    field = parameter.field
    if field.is_repeated:
        if field.message_type is None:
            getattr(message, field.name).append(from_text(field, text))
        else:
            set_text(getattr(message, field.name).add(), text)
    elif field.message_type is None:
        setattr(message, field.name, from_text(field, text))
    else:
        set_text(getattr(message, field.name), text)


def _refusal(route: Route, name: str) -> str:
    """Say why a name that is no parameter of the route cannot be one; empty when there is no such field."""
    message: Descriptor | None = route.method.input_type
    fields: list[FieldDescriptor] = []
    for part in name.split("."):
        field = fields_by_any_name(message).get(part) if message is not None else None
        if field is None:
            return ""
        if is_output_only(field):
            return "is set by the server only"
        fields.append(field)
        message = field.message_type if not field.is_repeated else None
    path = ".".join(field.name for field in fields)
    if path in route.template.variables:
        return "is given by the path already"
    if route.body in ("*", fields[0].name):
        return "belongs in the body of the request"
    if message is not None and len(fields) < _MAX_DEPTH and message.fields:
        return f"is a message: give its fields, such as {name}.{message.fields[0].json_name}"
    return "cannot be given in a query"
