"""Messages that ProtoJSON writes as something else than an object of their fields.

Those with a text form may stand in a query; the free-form ones are JSON only.
"""

from __future__ import annotations

import json
import re

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from techdocs_bridge.transcoding.fields import descriptor_of
from techdocs_bridge.transcoding.scalars import Scalar, ValueInvalid, from_json, from_text

_WRAPPERS_FILE = "google/protobuf/wrappers.proto"
# The exact forms: the library's own readers take more than ProtoJSON allows.
_TEXT_FORMS = {
    Timestamp.DESCRIPTOR.full_name: (
        re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", re.ASCII),
        "must be a time such as 2026-01-31T12:00:00Z",
    ),
    Duration.DESCRIPTOR.full_name: (re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,9})?s"), "must be a duration such as 1.5s"),
    FieldMask.DESCRIPTOR.full_name: (
        re.compile(r"(?:[a-z][A-Za-z0-9]*(?:[.,](?=[a-z])|$))*"),
        "must be a field mask such as title,entity.kind",
    ),
}
_FREE_FORMS = {
    "google.protobuf.Any": "must be an object with an @type that this service knows",
    "google.protobuf.ListValue": "must be an array",
    "google.protobuf.Struct": "must be an object",
    "google.protobuf.Value": "must be a JSON value of bounded depth",
}
VALUE = "google.protobuf.Value"
"""The one message for which JSON's null is a value."""


def is_wrapper(message: Descriptor) -> bool:
    """Whether it is one of the nullable scalars such as StringValue."""
    return message.file.name == _WRAPPERS_FILE


def has_text_form(message: Descriptor) -> bool:
    """Whether one string says all of the message, so that it fits into a query."""
    return message.full_name in _TEXT_FORMS or is_wrapper(message)


def is_well_known(message: Descriptor) -> bool:
    """Whether its JSON is not an object of its fields."""
    return has_text_form(message) or message.full_name in _FREE_FORMS


def set_text(message: Message, text: str) -> None:
    """Fill a message that `has_text_form` from a query parameter. Raises `ValueInvalid`."""
    descriptor = descriptor_of(message)
    if is_wrapper(descriptor):
        _set_wrapped(message, from_text(descriptor.fields_by_name["value"], text))
    else:
        set_json(message, text)


def set_json(message: Message, value: object) -> None:
    """Fill a message that `is_well_known` from parsed JSON. Raises `ValueInvalid`."""
    descriptor = descriptor_of(message)
    if is_wrapper(descriptor):
        _set_wrapped(message, from_json(descriptor.fields_by_name["value"], value))
        return
    if descriptor.full_name in _TEXT_FORMS:
        form, expected = _TEXT_FORMS[descriptor.full_name]
        if not isinstance(value, str) or not form.fullmatch(value):
            raise ValueInvalid(expected)
    else:
        expected = _FREE_FORMS[descriptor.full_name]
    try:
        json_format.Parse(json.dumps(value), message)
    except (json_format.ParseError, RecursionError):
        raise ValueInvalid(expected) from None


def _set_wrapped(message: Message, value: Scalar) -> None:
    message.SetInParent()
    setattr(message, "value", value)  # noqa: B010 - the stub of Message knows no fields
