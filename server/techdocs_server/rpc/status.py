"""The one table from this service's errors to gRPC statuses."""

from __future__ import annotations

import grpc
from google.protobuf import any_pb2, duration_pb2, message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from techdocs.v1 import errors_pb2

from techdocs_server.domain.access_errors import AccessDenied, Unauthenticated
from techdocs_server.domain.errors import (
    BuildCancelled,
    BuildError,
    BuildInProgress,
    Conflict,
    ContentCorrupt,
    DeadlineExceeded,
    ETagMismatch,
    Exhausted,
    FieldInvalid,
    InvalidArgument,
    NotFound,
    RangeNotSatisfiable,
    RequestIdReused,
    RevisionConflict,
    TechDocsError,
    Unavailable,
)

DOMAIN = "techdocs"
# gRPC delivers 8 KiB of trailing metadata for certain. Half of it is ours, shared by the message, which is there
# twice (percent-encoded, and in the details), and the details. The bounds are bytes, because letters are not.
_MAX_MESSAGE_CHARACTERS = 512
_MAX_MESSAGE_WIRE_BYTES = 900
_MAX_VALUE_BYTES = 256
_MAX_VIOLATIONS = 8
_MAX_VIOLATION_FIELD_BYTES = 96
_MAX_VIOLATION_TEXT_BYTES = 128

# The first row whose class fits decides, so the special rows stand before the general ones.
_CODES: tuple[tuple[type[TechDocsError], int], ...] = (
    (Unauthenticated, code_pb2.UNAUTHENTICATED),
    (AccessDenied, code_pb2.PERMISSION_DENIED),
    (InvalidArgument, code_pb2.INVALID_ARGUMENT),
    (NotFound, code_pb2.NOT_FOUND),
    (RequestIdReused, code_pb2.ALREADY_EXISTS),
    (ETagMismatch, code_pb2.ABORTED),
    (RevisionConflict, code_pb2.ABORTED),
    (BuildInProgress, code_pb2.FAILED_PRECONDITION),
    (Conflict, code_pb2.FAILED_PRECONDITION),
    (RangeNotSatisfiable, code_pb2.OUT_OF_RANGE),
    (BuildCancelled, code_pb2.ABORTED),
    (BuildError, code_pb2.ABORTED),
    (Exhausted, code_pb2.RESOURCE_EXHAUSTED),
    (Unavailable, code_pb2.UNAVAILABLE),
    (DeadlineExceeded, code_pb2.DEADLINE_EXCEEDED),
    (ContentCorrupt, code_pb2.DATA_LOSS),
)

_REASONS = frozenset(name.removeprefix("ERROR_REASON_") for name in errors_pb2.ErrorReason.keys())  # noqa: SIM118 - not a dict


def status_of(error: TechDocsError) -> status_pb2.Status:
    """Return the status of an error, with its details cut to what gRPC delivers."""
    code = next((code for kind, code in _CODES if isinstance(error, kind)), code_pb2.INTERNAL)
    return make_status(code, error.reason, error.message, metadata=error.metadata, more=_more_details(error))


def internal_status(request_id: str) -> status_pb2.Status:
    """Return the status of a defect: nothing of the exception, only how to find it."""
    return make_status(
        code_pb2.INTERNAL,
        "INTERNAL",
        f"internal error; the server's log has request id {request_id}",
        metadata={"request_id": request_id},
    )


def make_status(
    code: int,
    reason: str,
    text: str,
    *,
    metadata: dict[str, str] | None = None,
    more: tuple[message.Message, ...] = (),
) -> status_pb2.Status:
    """Return a status with ErrorInfo first among its details."""
    if reason not in _REASONS:
        raise ValueError(f"{reason} is not a value of techdocs.v1.ErrorReason")
    values = {key: _cut_bytes(value, _MAX_VALUE_BYTES) for key, value in (metadata or {}).items()}
    status = status_pb2.Status(code=code, message=_cut_message(text))
    for detail in (error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=values), *more):
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def grpc_code(status: status_pb2.Status) -> grpc.StatusCode:
    """Return the gRPC code object of a status."""
    return next(code for code in grpc.StatusCode if code.value[0] == status.code)


def _more_details(error: TechDocsError) -> tuple[message.Message, ...]:
    if isinstance(error, FieldInvalid):
        violations = [
            error_details_pb2.BadRequest.FieldViolation(
                field=_cut_bytes(v.field, _MAX_VIOLATION_FIELD_BYTES),
                description=_cut_bytes(v.description, _MAX_VIOLATION_TEXT_BYTES),
            )
            for v in error.violations[:_MAX_VIOLATIONS]
        ]
        return (error_details_pb2.BadRequest(field_violations=violations),)
    if isinstance(error, Exhausted | Unavailable) and error.retry_after_seconds is not None:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(int(error.retry_after_seconds * 1e9))
        return (error_details_pb2.RetryInfo(retry_delay=delay),)
    return ()


def _cut_message(text: str) -> str:
    """Return a text that percent-encoding keeps inside the bounds, whole characters only, without broken ones."""
    text = _encodable(text)
    if len(text) <= _MAX_MESSAGE_CHARACTERS and _wire_bytes(text) <= _MAX_MESSAGE_WIRE_BYTES:
        return text
    kept, room = "", _MAX_MESSAGE_WIRE_BYTES - _wire_bytes("…")
    for character in text[: _MAX_MESSAGE_CHARACTERS - 1]:
        room -= _wire_bytes(character)
        if room < 0:
            break
        kept += character
    return kept + "…"


def _cut_bytes(text: str, most: int) -> str:
    content = _encodable(text).encode()
    return content.decode() if len(content) <= most else content[: most - 3].decode(errors="ignore") + "…"


def _wire_bytes(text: str) -> int:
    """Return the length of a text in grpc-message: printable ASCII as it is, every other byte as %XX, and % itself."""
    return sum(1 if 0x20 <= byte < 0x7F and byte != 0x25 else 3 for byte in text.encode())


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
