"""Turns the response message of an RPC into the body of an HTTP answer.

Messages become ProtoJSON: names as the contract's json_name says, 64-bit
integers as strings (JavaScript's numbers end at 2**53), times as RFC 3339, and
every field without presence printed, so that a client sees an empty list, a
false and a 0 instead of their absence. google.api.HttpBody is its bytes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from google.api import httpbody_pb2
from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2  # noqa: F401 - an Any prints only if its type was imported, and a Build carries error details

from techdocs_bridge.transcoding.fields import descriptor_of
from techdocs_bridge.transcoding.http_rules import Route

JSON_MEDIA_TYPE = "application/json"
_BINARY_MEDIA_TYPE = "application/octet-stream"


class ResponseUnprintable(Exception):
    """The server answered with something that has no JSON form, such as an Any of an unknown type."""

    def __init__(self, method: str) -> None:
        super().__init__(f"the answer of {method} has no JSON form")


@dataclass(frozen=True, slots=True)
class Rendered:
    """The body of an answer and its media type."""

    content_type: str
    body: bytes


def render(route: Route, response: Message) -> Rendered:
    """Return the body that the route's annotation asks for: one field, or the whole message.

    An HttpBody without a media type is ``application/octet-stream``. A
    `response_body` that is not set gives its default: ``[]``, ``0``, or an object
    with the fields that are always printed.

    Raises `ResponseUnprintable` when the message has no JSON form.
    """
    content = _content(route, response)
    if isinstance(content, httpbody_pb2.HttpBody):
        return Rendered(content.content_type or _BINARY_MEDIA_TYPE, content.data)
    return Rendered(JSON_MEDIA_TYPE, _dump(_json_value(route, response)))


def render_line(route: Route, response: Message) -> bytes:
    """Return one message of a stream as a line of newline-delimited JSON.

    The line ends in a line feed and has no other: JSON escapes those in strings.
    An HttpBody is printed as the message it is, its bytes in base64.

    Raises `ResponseUnprintable` when the message has no JSON form.
    """
    return _dump(_json_value(route, response)) + b"\n"


def _content(route: Route, response: Message) -> Message | None:
    """Return the message that is the answer, or None when the answer is a scalar, a list or a map."""
    if not route.response_body:
        return response
    field = descriptor_of(response).fields_by_name[route.response_body]
    if field.is_repeated or field.message_type is None:
        return None
    content: Message = getattr(response, field.name)
    return content


def _json_value(route: Route, response: Message) -> object:
    content = _content(route, response)
    try:
        if content is not None:
            return json_format.MessageToDict(content, always_print_fields_with_no_presence=True)
        only = type(response)()
        only.CopyFrom(response)
        for field, _ in response.ListFields():
            if field.name != route.response_body:
                only.ClearField(field.name)
        name = descriptor_of(response).fields_by_name[route.response_body].json_name
        printed = json_format.MessageToDict(only, always_print_fields_with_no_presence=True)
        return printed.get(name)
    # An Any of an unknown type is a TypeError of the library, broken bytes in one a DecodeError.
    except (json_format.Error, TypeError, ValueError, DecodeError) as error:
        raise ResponseUnprintable(route.full_name) from error


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
