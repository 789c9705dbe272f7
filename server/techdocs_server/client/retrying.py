"""Repeating calls that failed for the moment, for as long as the command may take."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

import grpc

from techdocs_server.client.failures import failure_of

T = TypeVar("T")

# Pauses of 0.5, 1, 2, 4 and three times 8 s, each cut by chance: 16 s on average and 31 s at most, time for a restart.
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 8.0
_MOST_ATTEMPTS = 8


def _tell_nobody(_line: str) -> None:
    """Say nothing."""


class Patience:
    """How long and how often a command still tries. One for a command, used by one thread.

    ``tell`` is given the line of each failure after which the command goes on.
    """

    def __init__(
        self,
        within_seconds: float,
        *,
        tell: Callable[[str], None] = _tell_nobody,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._tell = tell
        self._clock = clock
        self._sleep = sleep
        self._chance = chance
        self._end = clock() + within_seconds
        self._failures = 0

    @property
    def remaining_seconds(self) -> float:
        """Time left for the command, never negative: the timeout of its next call."""
        return max(0.0, self._end - self._clock())

    def progressed(self) -> None:
        """Forget earlier failures: something was achieved since."""
        self._failures = 0

    def wait(self, error: grpc.RpcError) -> None:
        """Pause after a failed call, at least as long as the server asked for.

        Raises the error itself when repeating the call cannot help, when it failed
        too often in a row, and when the time is up or would be after the pause.
        """
        failure = failure_of(error)
        self._failures += 1
        if not failure.is_temporary or self._failures >= _MOST_ATTEMPTS:
            raise error
        longest = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** (self._failures - 1))
        # All clients that a restart threw out must not come back at one moment.
        pause = (failure.retry_seconds or 0.0) + longest * self._chance()
        if pause >= self.remaining_seconds:
            raise error
        self._tell(failure.line)
        self._sleep(pause)


def repeated(call: Callable[[float], T], patience: Patience) -> T:
    """Make a call that may be repeated; it is given its timeout in seconds. Raises what `Patience.wait` raises.

    That it succeeds is no progress: whoever makes it again and again says what is.
    """
    while True:
        try:
            return call(patience.remaining_seconds)
        except grpc.RpcError as error:
            patience.wait(error)
