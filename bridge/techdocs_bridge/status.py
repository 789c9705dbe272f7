"""The one table from gRPC statuses to HTTP ones, and the error every part of the bridge raises.

A status of the server names its reason (techdocs/v1/errors.proto) and the reason decides. A reason this table does not
know, sent by a newer server, is decided by its gRPC code. A status without a reason was made by gRPC itself or by
something in between: the bridge knows nothing about it, so its text is logged and not shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TypeAlias

import grpc
from google.protobuf import any_pb2, json_format
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

JSONValue: TypeAlias = "str | int | float | bool | list[JSONValue] | dict[str, JSONValue] | None"

ERROR_DOMAIN = "techdocs"

HTTP_STATUS_BY_REASON: Mapping[str, int] = {
    "FIELD_INVALID": 400,
    "PAGE_TOKEN_INVALID": 400,
    # Those of a client stream, which REST has not, are here for whoever reads the table.
    "STREAM_ORDER_INVALID": 400,
    "MANIFEST_INVALID": 400,
    "DIGEST_MISMATCH": 400,
    "TOKEN_INVALID": 401,
    "ACCESS_DENIED": 403,
    "ENTITY_NOT_FOUND": 404,
    "SITE_NOT_FOUND": 404,
    "REVISION_NOT_FOUND": 404,
    "CONTENT_NOT_FOUND": 404,
    "BUILD_NOT_FOUND": 404,
    # The published OpenAPI document knows no answers of /sync but 200 and 404.
    "NO_DOCS_SOURCE": 404,
    "REQUEST_ID_REUSED": 409,
    "PUBLISH_DISABLED": 409,
    "BLOBS_MISSING": 409,
    "BUILD_IN_PROGRESS": 409,
    "REVISION_IS_CURRENT": 409,
    "REVISION_PINNED": 409,
    "COLLECTION_RUNNING": 409,
    "ETAG_MISMATCH": 409,
    "REVISION_CONFLICT": 409,
    "BUILD_CANCELLED": 409,
    # The request was fine and so are we: what the author wrote cannot be built.
    "BUILD_FAILED": 422,
    "RANGE_NOT_SATISFIABLE": 416,
    "QUOTA_EXCEEDED": 413,
    "BUILD_QUEUE_FULL": 429,
    # Not 429: that would blame a caller who may have sent one request.
    "SERVER_OVERLOADED": 503,
    "STORAGE_UNAVAILABLE": 503,
    "CATALOG_UNAVAILABLE": 503,
    "AUTHENTICATION_UNAVAILABLE": 503,
    "SERVER_DRAINING": 503,
    "DEADLINE_EXCEEDED": 504,
    "CONTENT_CORRUPT": 500,
    "INTERNAL": 500,
}

HTTP_STATUS_BY_CODE: Mapping[str, int] = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "RESOURCE_EXHAUSTED": 429,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "CANCELLED": 503,
    "DEADLINE_EXCEEDED": 504,
    "DATA_LOSS": 500,
    "INTERNAL": 500,
    "UNKNOWN": 500,
}

_UNEXPLAINED: Mapping[str, str] = {
    "UNAVAILABLE": "the TechDocs server cannot be reached; try again",
    "DEADLINE_EXCEEDED": "the TechDocs server did not answer in time",
    "CANCELLED": "the call was cancelled before it was done; try again",
}
"""Codes that gRPC itself makes and that mean one thing, with what to say of them."""

ERROR_NAMES: Mapping[int, str] = {
    # The names of @backstage/errors, which its clients branch on.
    400: "InputError",
    401: "AuthenticationError",
    403: "NotAllowedError",
    404: "NotFoundError",
    409: "ConflictError",
    501: "NotImplementedError",
    503: "ServiceUnavailableError",
    # And ours, where it has none.
    405: "MethodNotAllowedError",
    408: "RequestTimeoutError",
    412: "PreconditionFailedError",
    413: "ContentTooLargeError",
    415: "UnsupportedMediaTypeError",
    416: "RangeNotSatisfiableError",
    422: "BuildFailedError",
    429: "TooManyRequestsError",
    431: "HeaderTooLargeError",
    500: "InternalServerError",
    504: "DeadlineExceededError",
}

_RETRY_AFTER_SECONDS = 5
"""When the server names no time: gRPC's channel tries to connect again sooner than that."""

_SHOWN_DETAILS = frozenset(
    f"google.rpc.{name}"
    for name in ("ErrorInfo", "BadRequest", "RetryInfo", "ResourceInfo", "PreconditionFailure", "QuotaFailure", "Help")
)
"""DebugInfo is not among them, nor anything this version does not know."""


@dataclass(eq=False)
class HTTPProblem(Exception):
    """An answer that is an error: what to tell the client, and what to tell only the log."""

    status: int
    """HTTP status."""
    message: str
    """What happened and what to do next; empty means that the client is told a fixed text and the request id."""
    code: str
    """Name of the gRPC code, for example NOT_FOUND."""
    reason: str = ""
    """Reason in ErrorInfo, empty for none."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """ErrorInfo.metadata."""
    details: tuple[Mapping[str, JSONValue], ...] = ()
    """google.rpc details in their JSON form, each with its @type."""
    headers: tuple[tuple[str, str], ...] = ()
    """Headers the answer has besides those of every error."""
    log_text: str = ""
    """What the client is not told."""
    cause: Mapping[str, JSONValue] | None = None
    """Name and message of the error behind it, where Backstage's backend names one."""

    def __str__(self) -> str:
        """Return the text for logs and tracebacks."""
        return f"{self.status} {self.reason or self.code}: {self.message or self.log_text}"

    @property
    def name(self) -> str:
        """The name of the error, as Backstage spells it."""
        return ERROR_NAMES.get(self.status, "Error")

    def with_status(self, status: int) -> HTTPProblem:
        """Return the same problem under another HTTP status."""
        return replace(self, status=status)


def problem_of(reason: str, code: str, message: str, **metadata: str) -> HTTPProblem:
    """Return a problem the bridge itself has, with a reason of the contract."""
    info = error_details_pb2.ErrorInfo(reason=reason, domain=ERROR_DOMAIN, metadata=metadata)
    return HTTPProblem(
        status=HTTP_STATUS_BY_REASON[reason],
        message=message,
        code=code,
        reason=reason,
        metadata=metadata,
        details=(packed_json(info),),
    )


def problem_from_rpc(error: grpc.aio.AioRpcError) -> HTTPProblem:
    """Return the problem a failed call is over HTTP."""
    details = _status_details(error)
    info = _error_info(details)
    code = error.code().name
    if info is None:
        return _unexplained(code, error.details() or "")
    problem = HTTPProblem(
        status=HTTP_STATUS_BY_REASON.get(info.reason, HTTP_STATUS_BY_CODE[code]),
        message=error.details() or info.reason,
        code=code,
        reason=info.reason,
        metadata=dict(info.metadata),
        details=tuple(_shown(details)),
    )
    if info.reason == "INTERNAL":
        problem = replace(problem, message="", log_text=error.details() or "", details=(packed_json(info),))
    return replace(problem, headers=tuple(_headers(problem, details)))


def packed_json(message: error_details_pb2.ErrorInfo | error_details_pb2.RequestInfo) -> dict[str, JSONValue]:
    """Return the JSON form of a detail as it stands in a list of details."""
    packed = any_pb2.Any()
    packed.Pack(message)
    return _json(packed)


def _unexplained(code: str, text: str) -> HTTPProblem:
    message = _UNEXPLAINED.get(code, "")
    if not message:
        return HTTPProblem(status=500, message="", code="INTERNAL", log_text=f"{code} without a reason: {text}")
    if code == "DEADLINE_EXCEEDED":
        # The server keeps the same deadline and has a reason for it; whose clock was first is of no interest.
        return replace(problem_of(code, code, message), log_text=text)
    problem = HTTPProblem(status=HTTP_STATUS_BY_CODE[code], message=message, code=code, log_text=text)
    return replace(problem, headers=tuple(_headers(problem, ())))


def _status_details(error: grpc.aio.AioRpcError) -> tuple[any_pb2.Any, ...]:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            try:
                return tuple(status_pb2.Status.FromString(value).details)
            except DecodeError:
                return ()
    return ()


def _error_info(details: Iterable[any_pb2.Any]) -> error_details_pb2.ErrorInfo | None:
    for detail in details:
        info = error_details_pb2.ErrorInfo()
        if detail.Is(info.DESCRIPTOR) and detail.Unpack(info) and info.domain == ERROR_DOMAIN and info.reason:
            return info
    return None


def _shown(details: Iterable[any_pb2.Any]) -> Iterable[Mapping[str, JSONValue]]:
    return (_json(detail) for detail in details if detail.TypeName() in _SHOWN_DETAILS)


def _json(detail: any_pb2.Any) -> dict[str, JSONValue]:
    fields: dict[str, JSONValue] = json_format.MessageToDict(detail)
    return fields


def _headers(problem: HTTPProblem, details: Iterable[any_pb2.Any]) -> Iterable[tuple[str, str]]:
    retry_after = _retry_after_seconds(details)
    if retry_after is None and problem.status == 503:
        retry_after = _RETRY_AFTER_SECONDS
    if retry_after is not None:
        yield "retry-after", str(retry_after)
    if problem.status == 401:
        yield "www-authenticate", "Bearer"
    if problem.reason == "RANGE_NOT_SATISFIABLE" and problem.metadata.get("size_bytes", "").isdecimal():
        yield "content-range", f"bytes */{problem.metadata['size_bytes']}"


def _retry_after_seconds(details: Iterable[any_pb2.Any]) -> int | None:
    """Whole seconds, at least one: HTTP has no fractions here."""
    for detail in details:
        info = error_details_pb2.RetryInfo()
        if detail.Is(info.DESCRIPTOR) and detail.Unpack(info):
            delay: timedelta = info.retry_delay.ToTimedelta()
            return max(1, math.ceil(delay.total_seconds()))
    return None
