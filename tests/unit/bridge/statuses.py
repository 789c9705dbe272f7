"""Statuses as our server makes them."""

from __future__ import annotations

from collections.abc import Mapping

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status


def status(
    code: grpc.StatusCode,
    message: str,
    reason: str = "",
    metadata: Mapping[str, str] | None = None,
    *,
    retry_seconds: float = 0,
    **more: str,
) -> grpc.Status:
    """A status with the details our server gives it, or without any for no reason."""
    details: list[Message] = []
    if reason:
        told = {**(metadata or {}), **more}
        details.append(error_details_pb2.ErrorInfo(reason=reason, domain="techdocs", metadata=told))
    if retry_seconds:
        delay = duration_pb2.Duration(seconds=int(retry_seconds), nanos=int(retry_seconds % 1 * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    packed = []
    for detail in details:
        packed.append(any_pb2.Any())
        packed[-1].Pack(detail)
    made: grpc.Status = rpc_status.to_status(status_pb2.Status(code=code.value[0], message=message, details=packed))
    return made
