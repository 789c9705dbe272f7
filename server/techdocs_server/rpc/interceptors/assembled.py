"""Putting the interceptors around a method once, and not anew for every call."""

from __future__ import annotations

import grpc

from techdocs_server.rpc.interceptors.wrapping import Continuation, Handler


class AssembledHandlers(grpc.aio.ServerInterceptor):
    """Keeps the handler that the interceptors behind this one made of a method. The outermost of all.

    gRPC asks every interceptor for its handler at every call. What an interceptor decides when it wraps one MUST
    depend on the method alone; what depends on the call, such as its metadata, is read from the context inside.
    Methods that nobody serves are not kept: their names are the caller's.
    """

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    async def intercept_service(self, continuation: Continuation, details: grpc.HandlerCallDetails) -> Handler | None:
        """See grpc.aio.ServerInterceptor."""
        known = self._handlers.get(details.method)
        if known is not None:
            return known
        handler = await continuation(details)
        if handler is not None:
            self._handlers[details.method] = handler
        return handler
