"""A deadline on every call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
from google.protobuf.message import Message

from techdocs_server.domain.errors import DeadlineExceeded
from techdocs_server.rpc.interceptors.admission import WAITING_METHODS
from techdocs_server.rpc.interceptors.wrapping import Context, Continuation, Handler, Stream, Unary, wrapped

# A call that answers at once and takes longer than this is not being waited for any more.
_WORKING_SECONDS = 300.0
# Queue and build together, or a large download to a slow reader; both may go on where they ended.
_LONG_SECONDS = 3600.0
_LONG_METHODS = WAITING_METHODS | {"ReadContent"}


class DeadlineInterceptor(grpc.aio.ServerInterceptor):
    """Ends a call at the caller's deadline or at the server's own maximum, whichever is first."""

    async def intercept_service(self, continuation: Continuation, details: grpc.HandlerCallDetails) -> Handler | None:
        """See grpc.aio.ServerInterceptor."""
        handler = await continuation(details)
        if handler is None or not details.method.startswith("/techdocs."):
            return handler
        most = _LONG_SECONDS if details.method.rpartition("/")[2] in _LONG_METHODS else _WORKING_SECONDS

        def unary(behaviour: Unary) -> Unary:
            async def call(request: Message, context: Context) -> Message:
                seconds = _remaining(context, most)
                try:
                    async with asyncio.timeout(seconds):
                        return await behaviour(request, context)
                except TimeoutError as error:
                    raise DeadlineExceeded(round(seconds, 3)) from error

            return call

        def stream(behaviour: Stream) -> Stream:
            async def call(request: Message, context: Context) -> AsyncIterator[Message]:
                seconds = _remaining(context, most)
                deadline = asyncio.get_running_loop().time() + seconds
                responses = aiter(behaviour(request, context))
                while True:
                    # The clock runs only while we wait for the next message, not inside our consumer:
                    # a timeout raised there would come out at the wrong place.
                    try:
                        async with asyncio.timeout_at(deadline):
                            response = await anext(responses)
                    except StopAsyncIteration:
                        return
                    except TimeoutError as error:
                        raise DeadlineExceeded(round(seconds, 3)) from error
                    yield response

            return call

        return wrapped(handler, unary=unary, stream=stream)


def _remaining(context: Context, most: float) -> float:
    remaining = context.time_remaining()
    return most if remaining is None else min(most, remaining)
