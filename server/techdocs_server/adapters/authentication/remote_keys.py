"""The key set of one issuer: fetched when it is needed, kept for a while, fetched anew for a key that is not in it.

Numbers as in Backstage (backend-defaults, auth, JwksClient; jose, createRemoteJWKSet): kept for ten minutes, not
fetched again for an unknown key within thirty seconds, except for a token that says it was made after the last fetch,
and ten times a minute at most. Whoever makes up keys can cause no more than that.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable

from techdocs_server.adapters.authentication.key_fetching import KeysUnavailable
from techdocs_server.adapters.authentication.tokens import Token
from techdocs_server.adapters.authentication.verification_keys import VerificationKey
from techdocs_server.domain.access_errors import AuthenticationUnavailable

_log = logging.getLogger(__name__)

KEPT_SECONDS = 600.0
COOLDOWN_SECONDS = 30.0
FORCED_PER_MINUTE = 10
AFTER_FAILURE_SECONDS = 2.0
"""How long a failure is answered without another attempt."""
_CLOCKS_DIFFER_SECONDS = 10.0
_MINUTE = 60.0

Fetch = Callable[[str], Awaitable[tuple[VerificationKey, ...] | None]]


class RemoteKeys:
    """Keys at an address. ``issuer`` names them in errors; ``absent_is_empty`` takes a 404 for a set of no keys."""

    def __init__(
        self,
        url: str,
        issuer: str,
        fetch: Fetch,
        *,
        absent_is_empty: bool = False,
        seconds: Callable[[], float] = time.monotonic,
        wall_seconds: Callable[[], float] = time.time,
    ) -> None:
        self._url = url
        self._issuer = issuer
        self._fetch = fetch
        self._absent_is_empty = absent_is_empty
        self._seconds = seconds
        self._wall_seconds = wall_seconds
        self._keys: tuple[VerificationKey, ...] | None = None
        self._fetched = 0.0
        self._fetched_wall = 0.0
        self._failed_until = float("-inf")
        self._forced: deque[float] = deque()
        self._loading: asyncio.Task[None] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether no key is known."""
        return not self._keys

    async def candidates(self, token: Token) -> list[VerificationKey]:
        """Return the keys that may have signed a token: that with its id, or those that fit when it names none.

        Raises `AuthenticationUnavailable` when the key set cannot be had. What was fetched before is used until it is
        ten minutes old, and no longer.
        """
        if self._keys is None or self._seconds() - self._fetched >= KEPT_SECONDS:
            await self._load()
        found = self._matching(token)
        if not found and self._may_reload(token):
            await self._load()
            found = self._matching(token)
        return found

    def _matching(self, token: Token) -> list[VerificationKey]:
        fitting = [key for key in self._keys or () if token.algorithm in key.algorithms]
        if token.kid:
            return [key for key in fitting if key.kid == token.kid]
        # jose takes a token without a key id only where there is no choice.
        return fitting if len(fitting) == 1 else []

    def _may_reload(self, token: Token) -> bool:
        now = self._seconds()
        if any(key.kid == token.kid for key in self._keys or ()):
            return False  # the key is known, and is not one for this algorithm
        if now - self._fetched >= COOLDOWN_SECONDS:
            return True
        while self._forced and now - self._forced[0] >= _MINUTE:
            self._forced.popleft()
        if token.issued_at <= self._fetched_wall - _CLOCKS_DIFFER_SECONDS or len(self._forced) >= FORCED_PER_MINUTE:
            return False
        self._forced.append(now)
        return True

    async def _load(self) -> None:
        if self._loading is None:
            if self._seconds() < self._failed_until:
                raise AuthenticationUnavailable(self._issuer)
            self._loading = asyncio.create_task(self._load_once())
            # When all who waited have left, nobody asks it how it ended.
            self._loading.add_done_callback(lambda task: task.cancelled() or task.exception())
        # Shielded: a caller that leaves must not take the keys from the others.
        await asyncio.shield(self._loading)

    async def _load_once(self) -> None:
        try:
            keys = await self._fetch(self._url)
            if keys is None and not self._absent_is_empty:
                raise KeysUnavailable("answered with 404")
        except KeysUnavailable as error:
            self._failed_until = self._seconds() + AFTER_FAILURE_SECONDS
            _log.warning("keys_unavailable", extra={"issuer": self._issuer, "problem": str(error)})
            raise AuthenticationUnavailable(self._issuer) from error
        else:
            self._keys = keys or ()
            self._fetched, self._fetched_wall = self._seconds(), self._wall_seconds()
        finally:
            self._loading = None
