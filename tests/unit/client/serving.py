"""A synchronous gRPC server on loopback whose one method does what a test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from techdocs.v1 import capabilities_pb2, capabilities_pb2_grpc

Answer = Callable[[grpc.ServicerContext], str]
"""Returns a version, or aborts."""


class _Servicer(capabilities_pb2_grpc.CapabilitiesServiceServicer):
    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def GetCapabilities(  # noqa: N802 - the RPC's name
        self, request: capabilities_pb2.GetCapabilitiesRequest, context: grpc.ServicerContext
    ) -> capabilities_pb2.GetCapabilitiesResponse:
        return capabilities_pb2.GetCapabilitiesResponse(
            capabilities=capabilities_pb2.Capabilities(server_version=self._answer(context))
        )


@contextmanager
def serving(answer: Answer, *, tls: tuple[Path, Path] | None = None) -> Iterator[int]:
    """Serve GetCapabilities until the context ends; gives the port. ``tls`` is a key and a certificate."""
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        capabilities_pb2_grpc.add_CapabilitiesServiceServicer_to_server(_Servicer(answer), server)
        if tls is None:
            port = server.add_insecure_port("127.0.0.1:0")
        else:
            pair = (tls[0].read_bytes(), tls[1].read_bytes())
            port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
        server.start()
        try:
            yield port
        finally:
            server.stop(None).wait()


def abort(
    context: grpc.ServicerContext,
    code: grpc.StatusCode,
    reason: str,
    message: str,
    *,
    retry_seconds: float | None = None,
    metadata: Mapping[str, str] | None = None,
) -> str:
    """Abort as this service does."""
    status = status_pb2.Status(code=code.value[0], message=message)
    status.details.append(_packed(error_details_pb2.ErrorInfo(reason=reason, domain="techdocs", metadata=metadata)))
    if retry_seconds is not None:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(int(retry_seconds * 1e9))
        status.details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    context.abort_with_status(rpc_status.to_status(status))
    raise AssertionError("abort raises")


def _packed(detail: error_details_pb2.ErrorInfo | error_details_pb2.RetryInfo) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed


def version_of(channel: grpc.Channel, *, seconds: float = 10.0) -> str:
    """Make the one call."""
    stub = capabilities_pb2_grpc.CapabilitiesServiceStub(channel)
    answer = stub.GetCapabilities(capabilities_pb2.GetCapabilitiesRequest(), timeout=seconds)
    return answer.capabilities.server_version
