"""The last stop of every exception."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from google.rpc import status_pb2
from grpc_status import rpc_status

from techdocs_server.domain.errors import TechDocsError
from techdocs_server.rpc.interceptors.wrapping import Call, CallInterceptor, Context
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
            await _abort(call.context, status_of(error))
        except Exception as error:
            _log.error("rpc_crashed", extra={"method": call.method}, exc_info=error)
            await _abort(call.context, internal_status(request_id.get()))


async def _abort(context: Context, status: status_pb2.Status) -> None:
    ended = rpc_status.to_status(status)
    # abort_with_status would put the details in the place of what else is to be in the trailing metadata.
    await context.abort(ended.code, ended.details, (*context.trailing_metadata(), *ended.trailing_metadata))
