"""CapabilitiesService: what this server can do."""

from __future__ import annotations

from techdocs.v1 import capabilities_pb2, capabilities_pb2_grpc

from techdocs_server.rpc.interceptors.wrapping import Context


class CapabilitiesServicer(capabilities_pb2_grpc.CapabilitiesServiceServicer):
    """Answers with what the composition root said."""

    def __init__(self, capabilities: capabilities_pb2.Capabilities) -> None:
        self._response = capabilities_pb2.GetCapabilitiesResponse(capabilities=capabilities)

    async def GetCapabilities(
        self, request: capabilities_pb2.GetCapabilitiesRequest, context: Context
    ) -> capabilities_pb2.GetCapabilitiesResponse:
        """See capabilities.proto."""
        return self._response
