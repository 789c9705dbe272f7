"""Whether answers that were given are still what the server would answer: what is known of each site's revision.

The server tells of every change of a site in a stream. The time in which one stream is heard is an *epoch*.

**Invariants.**

1. An answer is used only in the epoch in which the call for it began, and only while the stream is heard: its last
   message is younger than ``silence_seconds``. When the stream is lost everything is dropped at once.
2. A call's answer is kept only when nothing was heard of its site since the call began: no change, no other
   revision, nothing that let a reader expect another one. So what was asked before a change never stands after it.
3. After a change only answers of the revision it told of are kept: another server may not have heard of it yet. For
   ``settle_seconds`` after an epoch began nothing is kept that no change told of: what changed just before may not
   have reached the server that answers.
4. Whenever an answer shows another revision than the one before, or somebody is told that a site was published, what
   is kept of the site is dropped first. So whoever saw, or was told of, the newer revision is never given the older.

5. A site is known here only once the server has answered about it or told of it. What callers ask for is no site yet:
   names that are none, however many and long, take nothing and push nothing out.

``settle_seconds`` MUST be at least the time within which a server hears what another one did.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from techdocs_bridge.page_cache.answer_store import Answer, AnswerStore, Key

SILENCE_SECONDS = 13.0
"""The server is heard at least every 10 s."""
SETTLE_SECONDS = 5.0
"""A server hears of a change at once, and notices within 4 s that it hears nothing and must ask the database."""
_FORGET_SECONDS = 30.0
_MOST_SITES = 20_000
"""Of all that the server knows. One takes about 600 bytes, its name with at most 63 bytes a part included: 12 MB."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """How far things were when a call about a site began."""

    site: str
    epoch: int
    turn: int


class _Site:
    """What is known of one site in this epoch."""

    __slots__ = ("changed_at", "revision", "told", "turn")

    def __init__(self, turn: int) -> None:
        self.turn = turn
        """The one in which older answers became doubtful last."""
        self.revision: str | None = None
        """The one that the last answer showed, or the last change."""
        self.told: str | None = None
        """The one that the last change told of; empty for none."""
        self.changed_at = 0.0
        """When the last change was heard of."""


class SiteCurrency:
    """Keeps answers, and lets only current ones be used. Times are those of ``clock`` (monotonic)."""

    def __init__(
        self,
        store: AnswerStore,
        *,
        settle_seconds: float = SETTLE_SECONDS,
        silence_seconds: float = SILENCE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._settle_seconds = settle_seconds
        self._silence_seconds = silence_seconds
        self._clock = clock
        self._sites: dict[str, _Site] = {}
        self._epoch = 0
        self._epoch_settled_at = 0.0
        self._heard_until = 0.0
        # Grows with everything that makes older answers of any site doubtful.
        self._turn = 0
        # The last turn in which that happened to a site that is not known: good for each of them.
        self._unknown_turn = 0

    def __len__(self) -> int:
        """How many sites are known."""
        return len(self._sites)

    @property
    def is_heard(self) -> bool:
        """Whether changes are being heard, so that answers may be used and kept."""
        return self._heard_until > self._clock()

    def get(self, key: Key) -> Answer | None:
        """Return the answer to give, or None for asking the server."""
        return self._store.get(key) if self._heard_until > self._clock() else None

    def begin(self, site: str) -> Ticket | None:
        """Begin a call about a site. None when its answer will not be kept."""
        if not self.is_heard:
            return None
        return Ticket(site, self._epoch, self._turn)

    def keep(self, ticket: Ticket, revision: str, key: Key, answer: Answer) -> bool:
        """Keep the answer of a call if it is certain to be current; return whether it was."""
        if ticket.epoch != self._epoch or not self.is_heard:
            return False
        site = self._sites.get(ticket.site)
        if site is None or site.turn > ticket.turn or site.revision != revision or not self._is_settled(site, revision):
            return False
        self._store.put(key, answer)
        return True

    def seen(self, name: str, revision: str) -> None:
        """Note the current revision of a site that an answer shows. MUST come before a reader gets that answer."""
        site = self._of(name)
        if site.revision is not None and site.revision != revision:
            self._doubt(name, site)
        site.revision = revision

    def told(self, name: str) -> None:
        """Note that somebody will be told that a site was published or changed. MUST come before it is told."""
        site = self._sites.get(name)
        if site is None:
            # Nothing is kept of it, and what is under way must not be. It may be none at all.
            self._doubt_unknown()
        else:
            self._doubt(name, site)

    def began(self) -> None:
        """Begin an epoch: from now on every change is heard."""
        self._reset()
        self._epoch_settled_at = self._clock() + self._settle_seconds
        self.heard()

    def heard(self) -> None:
        """Note that the stream lives."""
        self._heard_until = self._clock() + self._silence_seconds

    def changed(self, name: str, revision: str) -> None:
        """Note a change after which ``revision`` is current; empty for none."""
        self.heard()
        site = self._of(name)
        self._doubt(name, site)
        site.revision = site.told = revision
        site.changed_at = self._clock()

    def lost(self) -> None:
        """End the epoch: changes may be missed."""
        self._reset()

    def _reset(self) -> None:
        self._epoch += 1
        self._heard_until = 0.0
        self._store.clear()
        self._sites.clear()

    def _doubt(self, name: str, site: _Site) -> None:
        self._turn += 1
        site.turn = self._turn
        site.revision = None
        self._store.drop(name)

    def _doubt_unknown(self) -> None:
        self._turn += 1
        self._unknown_turn = self._turn

    def _is_settled(self, site: _Site, revision: str) -> bool:
        if site.told is not None:
            return revision == site.told
        return self._clock() >= self._epoch_settled_at

    def _of(self, name: str) -> _Site:
        site = self._sites.get(name)
        if site is None:
            if len(self._sites) >= _MOST_SITES:
                self._forget_some()
            site = self._sites[name] = _Site(self._unknown_turn)
        return site

    def _forget_some(self) -> None:
        """Forget the half of the sites that is known longest, but for those that changed a moment ago.

        Whoever holds a ticket of one keeps nothing.
        """
        latest = self._clock() - _FORGET_SECONDS
        settled = [name for name, site in self._sites.items() if site.changed_at <= latest]
        self._doubt_unknown()
        for name in settled[: max(1, len(settled) // 2)]:
            del self._sites[name]
            self._store.drop(name)
