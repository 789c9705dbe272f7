"""The last stop of every exception."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from grpc_status import rpc_status

from techdocs_server.domain.errors import TechDocsError
from techdocs_server.rpc.interceptors.beginning import begun
from techdocs_server.rpc.interceptors.wrapping import Call, CallInterceptor
from techdocs_server.rpc.status import internal_status, status_of
from techdocs_server.telemetry.context import request_id

_log = logging.getLogger(__name__)


class ErrorInterceptor(CallInterceptor):
    """Turns our errors into their statuses, and anything else into INTERNAL without its text."""

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """See `CallInterceptor`."""
        try:
            yield
        except grpc.aio.AbortError:
            raise
        except TechDocsError as error:
            status = status_of(error)
            await begun()
            await call.context.abort_with_status(rpc_status.to_status(status))
        except Exception as error:
            _log.error("rpc_crashed", extra={"method": call.method}, exc_info=error)
            await begun()
            await call.context.abort_with_status(rpc_status.to_status(internal_status(request_id.get())))
