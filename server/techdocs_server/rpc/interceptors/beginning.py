"""The beginning of an answer: its initial metadata, sent while the answer is worked out."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar

from techdocs_server.rpc.interceptors.wrapping import Context

_sending: ContextVar[asyncio.Task[None] | None] = ContextVar("answer_beginning", default=None)


def begin_answer(context: Context, *metadata: tuple[str, str]) -> None:
    """Begin to send the initial metadata. Nothing else of the answer, its status neither, MUST be sent before `begun`."""
    _sending.set(asyncio.create_task(context.send_initial_metadata(metadata)))


async def begun() -> None:
    """Wait until the initial metadata of the call being served are sent. What prevented that is told to who sends on."""
    sending = _sending.get()
    if sending is not None:
        await asyncio.wait((sending,))
