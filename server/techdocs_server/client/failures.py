"""What a failed call means to whoever ran the command: one line, and an exit status.

========  ==================================================================
0         done, or there was nothing to do
1         refused: the server says what to mend
2         the command line is wrong (click's own)
3         somebody else came first: look again, then repeat
4         unavailable, overloaded or out of time: repeat later as it is
78        a file or variable of this command cannot be used (sysexits.h)
========  ==================================================================
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import grpc
from google.rpc import error_details_pb2, status_pb2

_DOMAIN = "techdocs"
_DETAILS_KEY = "grpc-status-details-bin"
_CONFLICTS = frozenset({"REVISION_CONFLICT", "ETAG_MISMATCH", "BUILD_IN_PROGRESS"})
_TEMPORARY_REASONS = frozenset({"SERVER_OVERLOADED", "BUILD_QUEUE_FULL"})
_TEMPORARY_CODES = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})
# gRPC tells every attempt and address; what helps is behind the last of its words.
_TRANSPORT_PROBLEM = re.compile(r"(?:.*: )?([^:]+?)(?: \[[^\]]*\])?", re.DOTALL)


class ExitStatus(enum.IntEnum):
    """How a command of the client ends."""

    DONE = 0
    """Done, or there was nothing to do."""
    REFUSED = 1
    """The server refused; repeating cannot help."""
    USAGE = 2
    """The command line is wrong."""
    CONFLICT = 3
    """The site is not as it was expected to be."""
    UNAVAILABLE = 4
    """No answer now; the same command may be repeated."""
    CONFIGURATION = 78
    """A file or variable of this command cannot be used."""


class ClientFailed(Exception):
    """Ends the command: a sentence for people, and how it exits."""

    def __init__(self, message: str, status: ExitStatus) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True)
class Failure:
    """How a call failed. ``reason`` is one of techdocs.v1.ErrorReason, empty when gRPC itself failed.

    ``metadata`` is that of the ErrorInfo.
    """

    code: grpc.StatusCode
    message: str
    reason: str
    retry_seconds: float | None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def status(self) -> ExitStatus:
        """The exit status of a command that ends with it."""
        if self.reason in _CONFLICTS:
            return ExitStatus.CONFLICT
        return ExitStatus.UNAVAILABLE if self.is_temporary else ExitStatus.REFUSED

    @property
    def is_temporary(self) -> bool:
        """Whether the same call may succeed later."""
        return self.code in _TEMPORARY_CODES or self.reason in _TEMPORARY_REASONS

    @property
    def line(self) -> str:
        """One line for people, with the reason for whoever looks it up."""
        return f"{self.message} ({self.reason or self.code.name})"


def failure_of(error: grpc.RpcError) -> Failure:
    """Return what a failed call says. An error that is no answer counts as unavailable."""
    # The stubs do not say that the error of a call is the call as well.
    call: object = error
    if not isinstance(call, grpc.Call):
        return Failure(grpc.StatusCode.UNAVAILABLE, "the call broke off", "", None)
    status = _status(call)
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    for packed in status.details:
        packed.Unpack(info)
        packed.Unpack(retry)
    reason = info.reason if info.domain == _DOMAIN else ""
    message = " ".join((call.details() or "").split())
    return Failure(
        code=call.code(),
        message=message if reason else _transport_message(call.code(), message),
        reason=reason,
        retry_seconds=retry.retry_delay.ToNanoseconds() / 1e9 if retry.HasField("retry_delay") else None,
        metadata=dict(info.metadata) if reason else {},
    )


def _status(error: grpc.Call) -> status_pb2.Status:
    status = status_pb2.Status()
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            status.MergeFromString(value)
    return status


def _transport_message(code: grpc.StatusCode, message: str) -> str:
    if code is grpc.StatusCode.UNAVAILABLE:
        found = _TRANSPORT_PROBLEM.fullmatch(message)
        return f"the server cannot be reached: {found[1] if found else message}"
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return "the server did not answer in time"
    return message or "the call failed"
