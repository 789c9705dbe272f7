"""The rules that the contract states in its own files."""

from __future__ import annotations

import protovalidate
from google.protobuf.message import Message

from techdocs_server.domain.errors import FieldInvalid, FieldViolation
from techdocs_server.rpc.interceptors.wrapping import Handler, MessageInterceptor


class ValidationInterceptor(MessageInterceptor):
    """Refuses messages that break a buf.validate rule, naming each field and its rule."""

    def taken(self, request: Message, handler: Handler) -> Message:
        """See `MessageInterceptor`."""
        check(request)
        return request


def check(request: Message) -> None:
    """Raise `FieldInvalid` with every violation of a request."""
    violations = protovalidate.collect_violations(request)
    if violations:
        raise FieldInvalid(*(_violation(violation) for violation in violations))


def _violation(violation: protovalidate.Violation) -> FieldViolation:
    path = ""
    for element in violation.proto.field.elements if violation.proto.field else ():
        path += f".{element.field_name}" if path else element.field_name
        if element.subscript is not None and element.subscript.field == "index":
            path += f"[{element.subscript.value}]"
    return FieldViolation(path, violation.proto.message or violation.proto.rule_id)
