"""Questions about fields of messages that requests, answers and documents all ask."""

from __future__ import annotations

from functools import lru_cache
from typing import cast

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

HTTP_BODY = "google.api.HttpBody"
"""The message that carries bytes and their media type instead of JSON."""


def descriptor_of(message: Message) -> Descriptor:
    """Return the message's descriptor, by the one of the two types its stub offers that all others speak of."""
    return cast(Descriptor, message.DESCRIPTOR)


def is_map(field: FieldDescriptor) -> bool:
    """Whether the field is a map, which descriptors show as a repeated message of entries."""
    entry = field.message_type
    return entry is not None and entry.GetOptions().map_entry


def is_http_body(field: FieldDescriptor) -> bool:
    """Whether the field is one google.api.HttpBody."""
    return not field.is_repeated and field.message_type is not None and field.message_type.full_name == HTTP_BODY


def has_behavior(field: FieldDescriptor, behavior: field_behavior_pb2.FieldBehavior.ValueType) -> bool:
    """Whether the contract gives the field this google.api.field_behavior."""
    return behavior in field.GetOptions().Extensions[field_behavior_pb2.field_behavior]


@lru_cache(maxsize=4096)
def is_output_only(field: FieldDescriptor) -> bool:
    """Whether only the server may set the field."""
    return has_behavior(field, field_behavior_pb2.OUTPUT_ONLY)


@lru_cache(maxsize=1024)
def fields_by_any_name(message: Descriptor) -> dict[str, FieldDescriptor]:
    """Return the fields by JSON name and by the name in the contract, the JSON name first."""
    by_json_name = {field.json_name: field for field in message.fields}
    return by_json_name | {field.name: field for field in message.fields if field.name not in by_json_name}
