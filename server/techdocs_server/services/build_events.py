"""The events of builds: one writer each, any number of watchers.

Events are stored before watchers hear of them, so a watcher that comes later, or
again, reads the same log. The latest events of builds that are watched are also
kept in memory: a thousand watchers of one build cost one query, not a thousand
for every line.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager

from techdocs_server.domain.build import Build, BuildEvent
from techdocs_server.domain.errors import BuildNotFound, ServerDraining, StorageUnavailable
from techdocs_server.ports.records import BuildRecords

_PAGE = 500
# A watcher that fell further behind than this reads from the records again.
_TAIL_EVENTS = 1000
# How long a watch may be silent before it says that it still lives. Proxies commonly give up after 30 s or 60 s.
HEARTBEAT_SECONDS = 10.0


class _Watched:
    """What the watchers of one build share."""

    def __init__(self) -> None:
        self.watchers = 0
        self.build: Build | None = None
        self.tail: deque[BuildEvent] = deque(maxlen=_TAIL_EVENTS)
        self.changed = asyncio.Event()
        self.is_behind = False
        self.catching_up: asyncio.Task[None] | None = None

    @property
    def last_sequence(self) -> int:
        """Of the newest event that the watchers know of, or have read; 0 when nothing is known."""
        if self.tail:
            return self.tail[-1].sequence
        return self.build.last_sequence if self.build is not None else 0

    def tell(self, build: Build, events: Sequence[BuildEvent]) -> None:
        """Take what may be known in part, or follow on what is not known."""
        self.learn(build)
        news = [event for event in events if not self.tail or event.sequence > self.tail[-1].sequence]
        if news and self.tail and news[0].sequence > self.tail[-1].sequence + 1:
            self.tail.clear()
        self.tail.extend(news)
        self.wake()

    def learn(self, build: Build) -> None:
        """Remember the build as it was read, unless something newer was told meanwhile."""
        if self.knows_less_than(build):
            self.build = build

    def knows_less_than(self, build: Build) -> bool:
        """Whether the build that is remembered stands before this one; the tail may be ahead of either."""
        return self.build is None or self.build.last_sequence < build.last_sequence

    def wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    def after(self, sequence: int) -> Sequence[BuildEvent] | None:
        """Return the events after one, or None when memory does not reach back to it."""
        if not self.tail or self.tail[0].sequence > sequence + 1:
            return None
        return [event for event in self.tail if event.sequence > sequence]


class BuildEvents:
    """Lets readers follow builds."""

    def __init__(self, records: BuildRecords, *, heartbeat_seconds: float = HEARTBEAT_SECONDS) -> None:
        self._records = records
        self._heartbeat_seconds = heartbeat_seconds
        self._watched: defaultdict[str, _Watched] = defaultdict(_Watched)
        self._closed = False

    def announce(self, build: Build, events: Sequence[BuildEvent]) -> None:
        """Tell watchers that these events were stored, and how the build stands after them."""
        if (watched := self._watched.get(build.id)) is not None:
            watched.tell(build, events)

    def heard(self, build_id: str) -> None:
        """Another process, or this one, has stored events of a build: tell its watchers, by one question for all."""
        watched = self._watched.get(build_id)
        if watched is None:
            return
        watched.is_behind = True
        if watched.catching_up is None:
            watched.catching_up = asyncio.create_task(self._catch_up(build_id, watched))

    def heard_too_little(self) -> None:
        """What other processes stored may not have been heard of: look at every build that is watched."""
        for build_id in list(self._watched):
            self.heard(build_id)

    async def _catch_up(self, build_id: str, watched: _Watched) -> None:
        try:
            while watched.is_behind:
                watched.is_behind = False
                build = await self._records.build(build_id)
                if build is None or not watched.knows_less_than(build):
                    continue
                seen = watched.last_sequence
                # What nobody has asked for yet, each watcher reads from where it stands. What is stored between the
                # two questions is among the events and not in the build: its own notice brings the build up to them.
                news = await self._records.events(build_id, after_sequence=seen, limit=_PAGE) if seen else ()
                watched.tell(build, news)
                watched.is_behind |= len(news) == _PAGE
        except StorageUnavailable:
            watched.wake()  # whoever watches asks by itself, and is told
        finally:
            watched.catching_up = None

    def close(self) -> None:
        """End every watch with `ServerDraining`, now and from now on."""
        self._closed = True
        for watched in self._watched.values():
            watched.wake()

    async def watch(self, build_id: str, *, after_sequence: int = 0) -> AsyncIterator[BuildEvent | None]:
        """Yield the events of a build in order, as they happen, until it has ended.

        None is a heartbeat: nothing happened for a while and the watch goes on.
        Raises `BuildNotFound`, `ServerDraining` when this server stops first, and
        `StorageUnavailable`.
        """
        with self._watching(build_id) as watched:
            while True:
                changed = watched.changed
                events = watched.after(after_sequence)
                if events is None:
                    events = await self._records.events(build_id, after_sequence=after_sequence, limit=_PAGE)
                for event in events:
                    after_sequence = event.sequence
                    yield event
                    if event.is_last:
                        return
                if events:
                    continue
                if self._nothing_follows(await self._current(build_id, watched), after_sequence):
                    return
                self._check_open()
                if not await self._wait(changed):
                    watched.build = None  # were a notification lost, the records would tell
                    yield None

    async def ended(self, build_id: str) -> Build:
        """Wait until a build has ended and return it. Raises as `watch` does."""
        with self._watching(build_id) as watched:
            while True:
                changed = watched.changed
                build = await self._current(build_id, watched)
                if build.state.is_final:
                    return build
                self._check_open()
                if not await self._wait(changed):
                    watched.build = None

    async def _wait(self, changed: asyncio.Event) -> bool:
        """Wait for a change; return whether there was one before the heartbeat."""
        try:
            async with asyncio.timeout(self._heartbeat_seconds):
                await changed.wait()
        except TimeoutError:
            return False
        return True

    async def _current(self, build_id: str, watched: _Watched) -> Build:
        known = watched.build
        if known is None:
            known = await self._records.build(build_id)
            if known is None:
                raise BuildNotFound(f"builds/{build_id}")
            watched.learn(known)
        return known

    @staticmethod
    def _nothing_follows(build: Build, after_sequence: int) -> bool:
        return build.state.is_final and after_sequence >= build.last_sequence

    def _check_open(self) -> None:
        if self._closed:
            raise ServerDraining

    @contextmanager
    def _watching(self, build_id: str) -> Iterator[_Watched]:
        watched = self._watched[build_id]
        watched.watchers += 1
        try:
            yield watched
        finally:
            watched.watchers -= 1
            if watched.watchers == 0:
                del self._watched[build_id]
