"""Waiting for something to become true, instead of sleeping and hoping."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")

_POLL_SECONDS = 0.01


@overload
async def eventually(check: Callable[[], Awaitable[T]], *, timeout_seconds: float = ..., what: str) -> T: ...
@overload
async def eventually(check: Callable[[], T], *, timeout_seconds: float = ..., what: str) -> T: ...
async def eventually(
    check: Callable[[], object | Awaitable[object]], *, timeout_seconds: float = 10.0, what: str
) -> object:
    """Return what check returns, or what it resolves to, as soon as that is true.

    Asks every 10 ms. Raises `AssertionError` naming ``what`` after the timeout; an
    error of the check itself comes out at once.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        answer = check()
        value = await answer if inspect.isawaitable(answer) else answer
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {timeout_seconds:g} seconds: {what}")
        await asyncio.sleep(_POLL_SECONDS)
