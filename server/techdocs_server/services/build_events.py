"""The events of builds: one writer each, any number of watchers.

Events are stored before watchers hear of them, so a watcher that comes later, or
again, reads the same log.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from techdocs_server.domain.build import Build, BuildEvent
from techdocs_server.domain.errors import BuildNotFound, ServerDraining
from techdocs_server.ports.records import BuildRecords

_PAGE = 500
# Only a lost notification makes a watcher wait this long before it looks again.
_LOOK_AGAIN_SECONDS = 5.0


class _Watcher:
    """Wakes one waiting reader; remembers the build as last heard of."""

    def __init__(self) -> None:
        self.build: Build | None = None
        self._changed = asyncio.Event()

    def tell(self, build: Build | None) -> None:
        self.build = build or self.build
        self._changed.set()

    async def wait(self) -> None:
        """Return at the next change, or after a while without one."""
        try:
            async with asyncio.timeout(_LOOK_AGAIN_SECONDS):
                await self._changed.wait()
        except TimeoutError:
            self.build = None
        self._changed.clear()


class BuildEvents:
    """Lets readers follow builds."""

    def __init__(self, records: BuildRecords) -> None:
        self._records = records
        self._watchers: defaultdict[str, set[_Watcher]] = defaultdict(set)
        self._closed = False

    def announce(self, build: Build) -> None:
        """Tell watchers that events of this build were stored."""
        for watcher in self._watchers.get(build.id, ()):
            watcher.tell(build)

    def close(self) -> None:
        """End every watch with `ServerDraining`, now and from now on."""
        self._closed = True
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.tell(None)

    async def watch(self, build_id: str, *, after_sequence: int = 0) -> AsyncIterator[BuildEvent]:
        """Yield the events of a build in order, as they happen, until it has ended.

        Raises `BuildNotFound`, `ServerDraining` when this server stops first, and
        `StorageUnavailable`.
        """
        with self._watching(build_id) as watcher:
            while True:
                build = await self._existing(build_id)
                events = await self._records.events(build_id, after_sequence=after_sequence, limit=_PAGE)
                for event in events:
                    after_sequence = event.sequence
                    yield event
                    if event.is_last:
                        return
                if build.state.is_final and after_sequence >= build.last_sequence:
                    return
                if len(events) < _PAGE:
                    self._check_open()
                    await watcher.wait()

    async def ended(self, build_id: str) -> Build:
        """Wait until a build has ended and return it. Raises as `watch` does."""
        with self._watching(build_id) as watcher:
            while True:
                build = watcher.build or await self._existing(build_id)
                if build.state.is_final:
                    return build
                self._check_open()
                await watcher.wait()

    async def _existing(self, build_id: str) -> Build:
        build = await self._records.build(build_id)
        if build is None:
            raise BuildNotFound(f"builds/{build_id}")
        return build

    def _check_open(self) -> None:
        if self._closed:
            raise ServerDraining

    @contextmanager
    def _watching(self, build_id: str) -> Iterator[_Watcher]:
        watcher = _Watcher()
        self._watchers[build_id].add(watcher)
        try:
            yield watcher
        finally:
            self._watchers[build_id].discard(watcher)
            if not self._watchers[build_id]:
                del self._watchers[build_id]
