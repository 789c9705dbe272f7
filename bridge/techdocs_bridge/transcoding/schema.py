"""JSON Schemas of messages, as ProtoJSON writes them (JSON Schema 2020-12, which OpenAPI 3.1 uses)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from buf.validate import validate_pb2
from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from techdocs_bridge.transcoding.comments import Comments
from techdocs_bridge.transcoding.constraints import (
    JSONObject,
    JSONValue,
    allowed_names,
    list_keywords,
    rules_of,
    value_keywords,
)
from techdocs_bridge.transcoding.fields import has_behavior, is_map
from techdocs_bridge.transcoding.well_known import is_wrapper

_STRING_INTEGER = "^-?[0-9]{1,20}$"
# One digit fewer than the largest has, so that no text of this form is beyond the range.
_STRING_COUNT = "^[0-9]{1,18}$"
_SCALARS: Mapping[int, JSONObject] = {
    FieldDescriptor.CPPTYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.CPPTYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.CPPTYPE_UINT32: {"type": "integer", "minimum": 0, "maximum": 2**32 - 1},
    # ProtoJSON: a string, because JavaScript's numbers are exact to 2**53 only.
    FieldDescriptor.CPPTYPE_INT64: {"type": "string", "format": "int64", "pattern": _STRING_INTEGER},
    FieldDescriptor.CPPTYPE_UINT64: {"type": "string", "format": "uint64", "pattern": _STRING_INTEGER},
    FieldDescriptor.CPPTYPE_DOUBLE: {"type": "number", "format": "double"},
    FieldDescriptor.CPPTYPE_FLOAT: {"type": "number", "format": "float"},
    FieldDescriptor.CPPTYPE_STRING: {"type": "string"},
}
# In a path or query everything is text, so the type there may say what the text means.
_TEXT_SCALARS: Mapping[int, JSONObject] = {
    FieldDescriptor.CPPTYPE_INT64: {"type": "integer", "format": "int64"},
    FieldDescriptor.CPPTYPE_UINT64: {"type": "integer", "minimum": 0},
}
_WELL_KNOWN: Mapping[str, JSONObject] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": r"^-?[0-9]{1,12}(\.[0-9]{1,9})?s$"},
    "google.protobuf.FieldMask": {"type": "string"},
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.ListValue": {"type": "array"},
    "google.protobuf.Value": {},
    "google.protobuf.Any": {"type": "object", "properties": {"@type": {"type": "string"}}},
}
_DEFAULTS: Mapping[str, JSONValue] = {"techdocs.v1.EntityRef.namespace": "default"}
"""What a field left out means, where the contract says it in words only."""
_PUBLISHED_NAMES = {"techdocs.v1.SiteMetadata": "TechDocsMetadata"}
"""Names that the published OpenAPI document gave to messages, by their name in the contract."""


class Schemas:
    """Writes schemas and gathers those of messages and enums that they refer to in `components`."""

    def __init__(self, comments: Comments, *, packages: Iterable[str]) -> None:
        """`packages` are those whose messages are named without their package."""
        self._comments = comments
        self._packages = frozenset(packages)
        self.components: dict[str, JSONObject] = {}

    def message(self, message: Descriptor) -> JSONObject:
        """Return the schema of a message: a reference, or a well-known type's own form."""
        if message.full_name in _WELL_KNOWN:
            return dict(_WELL_KNOWN[message.full_name])
        if is_wrapper(message):
            return self._value(message.fields_by_name["value"], validate_pb2.FieldRules(), is_text=False)
        name = self._component_name(message)
        if name not in self.components:
            # Reserved first: a message may contain itself.
            self.components[name] = {}
            self.components[name] = self.members(message)
        return {"$ref": f"#/components/schemas/{name}"}

    def members(self, message: Descriptor, *, bound: frozenset[str] | None = None) -> JSONObject:
        """Return a message as an object schema.

        With `bound`, the fields that a path fills already, it is the schema of a
        request body: without them, without what only the server sets, and closed.
        """
        properties: JSONObject = {}
        required: list[JSONValue] = []
        for field in message.fields:
            schema = self.field(field) if bound is None else self._unbound(field, bound)
            if schema is None:
                continue
            properties[field.json_name] = schema
            if is_required(field):
                required.append(field.json_name)
        schema = {"type": "object", "properties": properties}
        if required:
            schema["required"] = required
        if bound is not None or _is_input(message):
            schema["additionalProperties"] = False
        return self._described(schema, self._message_text(message))

    def field(self, field: FieldDescriptor) -> JSONObject:
        """Return the schema of a field's value as it stands in a JSON object, lists and maps included."""
        schema = self._collection(field, is_text=False)
        if field.full_name in _DEFAULTS:
            schema["default"] = _DEFAULTS[field.full_name]
        if has_behavior(field, field_behavior_pb2.OUTPUT_ONLY):
            schema["readOnly"] = True
        if has_behavior(field, field_behavior_pb2.INPUT_ONLY):
            schema["writeOnly"] = True
        if field.GetOptions().deprecated:
            schema["deprecated"] = True
        return self._described(schema, self._comments.text(field.full_name))

    def parameter(self, field: FieldDescriptor, *, in_path: bool) -> JSONObject:
        """Return the schema of a field as a path or query parameter; a path's is never empty."""
        schema = self._collection(field, is_text=True, empty_is_unset=not in_path)
        if field.full_name in _DEFAULTS:
            schema["default"] = _DEFAULTS[field.full_name]
        return schema

    def _unbound(self, field: FieldDescriptor, bound: frozenset[str]) -> JSONObject | None:
        if field.name in bound or has_behavior(field, field_behavior_pb2.OUTPUT_ONLY):
            return None
        inner = frozenset(path.partition(".")[2] for path in bound if path.startswith(f"{field.name}."))
        if not inner or field.message_type is None:
            return self.field(field)
        schema = self.members(field.message_type, bound=inner)
        return schema if schema["properties"] else None

    def _collection(self, field: FieldDescriptor, *, is_text: bool, empty_is_unset: bool = True) -> JSONObject:
        rules = rules_of(field)
        if field.message_type is not None and is_map(field):
            entry = field.message_type.fields_by_name["value"]
            return {"type": "object", "additionalProperties": self._value(entry, rules.map.values, is_text=False)}
        if field.is_repeated:
            items = self._value(field, rules.repeated.items, is_text=is_text, empty_is_unset=False)
            return {"type": "array", "items": items, **list_keywords(rules)}
        return self._value(field, rules, is_text=is_text, empty_is_unset=empty_is_unset)

    def _value(
        self, field: FieldDescriptor, rules: validate_pb2.FieldRules, *, is_text: bool, empty_is_unset: bool = True
    ) -> JSONObject:
        if field.message_type is not None:
            return self.message(field.message_type)
        if field.enum_type is not None:
            return self._enum(field.enum_type, rules)
        if field.type == FieldDescriptor.TYPE_BYTES:
            return {"type": "string", "contentEncoding": "base64"}
        scalar = (_TEXT_SCALARS if is_text else {}).get(field.cpp_type, _SCALARS[field.cpp_type])
        keywords = value_keywords(rules, empty_is_unset=empty_is_unset)
        if scalar["type"] == "string" and field.cpp_type != FieldDescriptor.CPPTYPE_STRING:
            # Bounds of a number mean nothing to the string that carries it, but that it has no sign.
            return {**scalar, "pattern": _STRING_COUNT} if keywords.get("minimum") == 0 else dict(scalar)
        return {**scalar, **keywords}

    def _enum(self, enum: EnumDescriptor, rules: validate_pb2.FieldRules) -> JSONObject:
        name = self._component_name(enum)
        numbers = [(value.number, value.name) for value in enum.values]
        if name not in self.components:
            schema: JSONObject = {"type": "string", "enum": allowed_names(validate_pb2.FieldRules(), numbers)}
            told = [f"{value.name}: {self._comments.text(f'{enum.full_name}.{value.name}')}" for value in enum.values]
            text = self._comments.text(enum.full_name)
            self.components[name] = self._described(
                schema, "\n".join([text, "", *(f"* {line}" for line in told)]) if text else ""
            )
        allowed = allowed_names(rules, numbers)
        if len(allowed) < len(numbers):
            return {"type": "string", "enum": allowed}
        return {"$ref": f"#/components/schemas/{name}"}

    def _component_name(self, thing: Descriptor | EnumDescriptor) -> str:
        if thing.full_name in _PUBLISHED_NAMES:
            return _PUBLISHED_NAMES[thing.full_name]
        package = thing.file.package
        return thing.full_name.removeprefix(f"{package}.") if package in self._packages else thing.full_name

    def _message_text(self, message: Descriptor) -> str:
        choices = [oneof for oneof in message.oneofs if len(oneof.fields) > 1]
        told = [f"At most one of {', '.join(f.json_name for f in oneof.fields)} is set." for oneof in choices]
        return "\n\n".join(text for text in (self._comments.text(message.full_name), *told) if text)

    @staticmethod
    def _described(schema: JSONObject, text: str) -> JSONObject:
        return {**schema, "description": text} if text else schema


def _is_input(message: Descriptor) -> bool:
    """Whether clients write the message: its fields say so. Requests refuse fields they do not know."""
    return any(
        has_behavior(field, field_behavior_pb2.OPTIONAL) or has_behavior(field, field_behavior_pb2.REQUIRED)
        for field in message.fields
    )


def is_required(field: FieldDescriptor) -> bool:
    """Whether a request without the field is refused."""
    return has_behavior(field, field_behavior_pb2.REQUIRED) or rules_of(field).required
