"""Request ids, and one line of log per call."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import grpc

from techdocs_server.rpc.interceptors.wrapping import Call, CallInterceptor, Context
from techdocs_server.telemetry.context import caller, request_id

_log = logging.getLogger("techdocs.server.access")
_ACCEPTABLE = re.compile(r"[A-Za-z0-9-]{8,64}")
REQUEST_ID_KEY = "x-request-id"


class IdentityInterceptor(CallInterceptor):
    """Gives every call an id: the caller's ``x-request-id`` if it is a good one, else a new one.

    The id is in the trailing metadata of the answer, in every line of log, and in
    internal errors; a stream, whose end may be far, has it in its initial metadata too.
    Outermost, so that it times and logs what the others refuse.
    """

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """See `CallInterceptor`."""
        current = _given(call.context) or uuid.uuid4().hex
        request_id.set(current)
        caller.set(_caller(call.context))
        identity = ((REQUEST_ID_KEY, current),)
        call.context.set_trailing_metadata(identity)
        # An answer of one message is one write with its trailing metadata; initial ones would be a write of their own.
        if not call.answers_once:
            await call.context.send_initial_metadata(identity)
        began = time.perf_counter()
        cancelled = False
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):
            cancelled = True
            raise
        finally:
            code = "CANCELLED" if cancelled else _code_name(call.context)
            seconds = round(time.perf_counter() - began, 6)
            extra = {"method": call.method, "code": code, "duration_seconds": seconds}
            # Once the answer is on its way: a line takes a tenth of the time of a page.
            asyncio.get_running_loop().call_soon(partial(_log.info, "rpc", extra=extra))


def _caller(context: Context) -> str:
    """Return who calls: nobody proves that here, so it is where the call comes from."""
    kind, _, address = context.peer().partition(":")
    # The port says nothing of who it is.
    return f"anonymous@{address.rpartition(':')[0] if kind in ('ipv4', 'ipv6') else kind}"


def _given(context: Context) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == REQUEST_ID_KEY and isinstance(value, str) and _ACCEPTABLE.fullmatch(value):
            return value
    return ""


def _code_name(context: Context) -> str:
    code: object = context.code()  # a number until an abort sets a StatusCode
    if isinstance(code, grpc.StatusCode):
        return code.name
    return next((known.name for known in grpc.StatusCode if known.value[0] == code), "OK")
