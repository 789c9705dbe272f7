"""What the server has decided about callers: who may read which site, and until when.

**Invariants.** A decision is used for the very credential, site and part of it that it was made for, never longer than the server
said, counted from before the server was asked. Only the server makes decisions; there is none for a caller that it
refused. Credentials are not kept: what stands for one is its SHA-256.
"""

from __future__ import annotations

import enum
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable

MAX_DECISIONS = 50_000
"""Of all callers and sites. One takes about 300 bytes: 15 MB."""

_ANYONE = b""


class Part(enum.Enum):
    """What of a site is read. A limited user token is good for one part and not for the other."""

    CONTENT = "content"
    """Pages and assets."""
    METADATA = "metadata"
    """What is said of the site."""


class AccessDecisions:
    """Decisions in memory, the least recently made ones dropped first. Times are those of ``clock`` (monotonic)."""

    def __init__(self, *, max_decisions: int = MAX_DECISIONS, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._max_decisions = max_decisions
        self._until: OrderedDict[tuple[bytes, str, Part], float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def learn(self, credential: bytes, site: str, part: Part, *, until: float, anyone: bool) -> None:
        """Remember that a caller, or ``anyone``, may read a part of a site before a moment."""
        if until <= self._clock():
            return
        key = (_ANYONE if anyone else _digest(credential), site, part)
        self._until[key] = until
        self._until.move_to_end(key)
        while len(self._until) > self._max_decisions:
            self._until.popitem(last=False)

    def allows(self, credential: bytes, site: str, part: Part) -> bool:
        """Return whether the server is known to let a caller read a part of a site now. False is no refusal: ask the server."""
        now = self._clock()
        return self._until.get((_ANYONE, site, part), 0.0) > now or (
            credential != b"" and self._until.get((_digest(credential), site, part), 0.0) > now
        )

    def clear(self) -> None:
        """Forget everything."""
        self._until.clear()

    def forget(self, credential: bytes, site: str, part: Part) -> None:
        """Forget what is known of a caller and of everybody: the server has just refused."""
        for key in ((_ANYONE, site, part), (_digest(credential), site, part)):
            self._until.pop(key, None)


def _digest(credential: bytes) -> bytes:
    return hashlib.sha256(credential).digest()
