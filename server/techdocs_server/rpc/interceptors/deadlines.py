"""A deadline on every call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable

import grpc
from google.protobuf.message import Message

from techdocs_server.domain.errors import DeadlineExceeded
from techdocs_server.rpc.interceptors.admission import UPLOADING_METHODS, WAITING_METHODS
from techdocs_server.rpc.interceptors.wrapping import Context, Continuation, Handler, Stream, Unary, Upload, wrapped

# A call that answers at once and takes longer than this is not being waited for any more.
_WORKING_SECONDS = 300.0
# Queue and build together, or a large site to a slow reader or from a slow writer; all may go on where they ended.
_LONG_SECONDS = 3600.0
_LONG_METHODS = WAITING_METHODS | UPLOADING_METHODS | {"ReadContent"}


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
                return await _within(_remaining(context, most), behaviour(request, context))

            return call

        def upload(behaviour: Upload) -> Upload:
            async def call(requests: AsyncIterator[Message], context: Context) -> Message:
                return await _within(_remaining(context, most), behaviour(requests, context))

            return call

        def stream(behaviour: Stream) -> Stream:
            async def call(request: Message, context: Context) -> AsyncIterator[Message]:
                responses = aiter(behaviour(request, context))
                async for response in _each_within(_remaining(context, most), responses):
                    yield response

            return call

        return wrapped(handler, unary=unary, stream=stream, upload=upload)


async def _within(seconds: float, answer: Awaitable[Message]) -> Message:
    try:
        async with asyncio.timeout(seconds):
            return await answer
    except TimeoutError as error:
        raise DeadlineExceeded(round(seconds, 3)) from error


async def _each_within(seconds: float, responses: AsyncIterator[Message]) -> AsyncIterator[Message]:
    deadline = asyncio.get_running_loop().time() + seconds
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


def _remaining(context: Context, most: float) -> float:
    remaining = context.time_remaining()
    return most if remaining is None else min(most, remaining)
