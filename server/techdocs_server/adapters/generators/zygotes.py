"""One zygote after another, so that there is a young one at any time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

from techdocs_server.adapters.generators.fork import ZygoteLost
from techdocs_server.adapters.generators.zygote import Zygote

_log = logging.getLogger(__name__)
# Forking is exact: nothing of a build stays in its zygote. These bound what is not known.
_MAX_BUILDS, _MAX_SECONDS = 500, 3600.0
# A zygote that cannot start now may do so later; trying takes seconds of processor time.
_PAUSE_SECONDS = 60.0


class Zygotes:
    """Gives the present zygote, and sees to it that there is one. Not started, it gives none.

    ``start`` starts a zygote; ``folders`` are those of the toolchain's packages: when something is installed
    there, what a zygote has loaded is old.
    """

    def __init__(
        self,
        start: Callable[[], Coroutine[None, None, Zygote]],
        folders: tuple[Path, ...],
        *,
        max_builds: int = _MAX_BUILDS,
        max_seconds: float = _MAX_SECONDS,
    ) -> None:
        self._start = start
        self._folders = folders
        self._max_builds = max_builds
        self._max_seconds = max_seconds
        self._zygote: Zygote | None = None
        self._stamp: tuple[int, ...] = ()
        self._starting: asyncio.Task[None] | None = None
        # Those that still run builds, each with the task that waits for these.
        self._retired: dict[asyncio.Task[None], Zygote] = {}
        self._next_try = 0.0
        self._is_on = False

    def begin(self) -> None:
        """Start the first zygote in the background."""
        self._is_on = True
        self._begin_one()

    @property
    def is_on(self) -> bool:
        """Whether it is begun and not closed."""
        return self._is_on

    async def close(self) -> None:
        """End every zygote and the builds they run."""
        self._is_on = False
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        retiring = dict(self._retired)
        for zygote in (*([self._zygote] if self._zygote else []), *retiring.values()):
            await zygote.close()
        self._zygote = None
        await asyncio.gather(*retiring, return_exceptions=True)

    def present(self) -> Zygote | None:
        """Return a zygote to fork from, None while there is none; then one is being started, if that is possible."""
        zygote = self._zygote
        if zygote is not None and not (zygote.is_alive and _stamp(self._folders) == self._stamp):
            self._retire(zygote)
            self._zygote = zygote = None
        # One that is only old serves until its successor is there.
        if zygote is None or self._is_old(zygote):
            self._begin_one()
        return zygote

    def _is_old(self, zygote: Zygote) -> bool:
        return zygote.builds >= self._max_builds or time.monotonic() - zygote.start_time >= self._max_seconds

    def _retire(self, zygote: Zygote) -> None:
        task = asyncio.create_task(zygote.retire())
        self._retired[task] = zygote
        task.add_done_callback(self._retired.pop)

    def _begin_one(self) -> None:
        if self._is_on and self._starting is None and time.monotonic() >= self._next_try:
            self._starting = asyncio.create_task(self._start_one())

    async def _start_one(self) -> None:
        stamp = _stamp(self._folders)
        try:
            zygote = await self._start()
            if self._zygote is not None:
                self._retire(self._zygote)
            self._zygote, self._stamp = zygote, stamp
        except ZygoteLost as error:
            self._next_try = time.monotonic() + _PAUSE_SECONDS
            _log.warning("zygote_failed", extra={"error": str(error)})
        except Exception:
            # Whatever it is: builds work without, and nobody awaits this task.
            self._next_try = time.monotonic() + _PAUSE_SECONDS
            _log.exception("zygote_failed")
        finally:
            self._starting = None


def _stamp(folders: tuple[Path, ...]) -> tuple[int, ...]:
    times = []
    for folder in folders:
        with contextlib.suppress(OSError):
            times.append(os.stat(folder).st_mtime_ns)  # noqa: PTH116 - asked for each build
    return tuple(times)
