"""Stores that stop what uses them before, or in the middle of, one of its calls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, TypeVar, cast

from techdocs_server.domain.digest import Digest
from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.ports.blobs import OpenFile

T = TypeVar("T")

How = Literal["fails", "is cancelled", "is cancelled in the call"]


class Stop:
    """Counts calls, and stops the one whose turn it is."""

    def __init__(self, at: int, how: How) -> None:
        self.calls = 0
        self._at, self._how = at, how

    @property
    def was_due(self) -> bool:
        """Whether so many calls were made that one was stopped."""
        return self.calls >= self._at

    async def around(self, call: Callable[[], Awaitable[object]]) -> object:
        """Make a call, unless it is the one to stop."""
        self.calls += 1
        if self.calls == self._at:
            if self._how == "fails":
                raise StorageUnavailable("it is told to fail now")
            task = asyncio.current_task()
            assert task is not None
            if self._how == "is cancelled":
                task.cancel()
                await asyncio.sleep(0)
            else:
                # The call's own thread has begun by then, and nobody waits for it any more.
                asyncio.get_running_loop().call_soon(task.cancel)
        return await call()

    def of(self, store: T) -> T:
        """Return a store whose calls are counted."""
        return cast(T, _Stopping(store, self))


class _Stopping:
    def __init__(self, inner: object, stop: Stop) -> None:
        self._inner, self._stop = inner, stop

    def __getattr__(self, name: str) -> object:
        method = getattr(self._inner, name)
        if name == "get":  # a generator: what it reads is asked for before, by the records
            return method

        def call(*arguments: object, **more: object) -> Awaitable[object]:
            return self._stop.around(lambda: method(*arguments, **more))

        return call

    async def put_files(self, files: Mapping[Digest, OpenFile]) -> None:
        # Each has its turn, stored already or not.
        for digest, opener in files.items():
            await self._stop.around(lambda: self._inner.put_files({digest: opener}))  # type: ignore[attr-defined]  # noqa: B023
