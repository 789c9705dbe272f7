"""The authenticator: each kind of token in Backstage's order, and what was verified in memory."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import replace
from datetime import datetime, timedelta

from techdocs_server.adapters.authentication.external_access import ExternalAccess
from techdocs_server.adapters.authentication.plugin_callers import PluginCallers
from techdocs_server.adapters.authentication.tokens import MAX_TOKEN_CHARACTERS, Token
from techdocs_server.adapters.authentication.user_tokens import UserTokens
from techdocs_server.domain.access_errors import Unauthenticated
from techdocs_server.domain.grants import Grants
from techdocs_server.domain.principal import Principal
from techdocs_server.ports.authentication import Authenticator
from techdocs_server.ports.clock import Clock

MOST_KEPT = 10_000
KEPT = timedelta(minutes=10)
"""How long a verified token is believed at most: as long as a key set is, so a withdrawn key ends with both."""


class TokenAuthenticator:
    """Verifies tokens (backend-defaults, auth, DefaultAuthService.authenticate). None: such tokens are not taken."""

    def __init__(
        self,
        *,
        plugins: PluginCallers | None = None,
        users: UserTokens | None = None,
        external: ExternalAccess,
        grants: Grants,
    ) -> None:
        self._plugins = plugins
        self._users = users
        self._external = external
        self._grants = grants

    async def authenticate(self, token: str) -> Principal:
        """See `Authenticator`."""
        if not token:
            raise Unauthenticated
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise Unauthenticated("Illegal token")
        principal = await self._principal(token, Token.parse(token))
        if principal is None:
            raise Unauthenticated("Illegal token")
        return replace(principal, permissions=self._grants.permissions_of(principal.subject, *principal.permissions))

    async def _principal(self, text: str, token: Token | None) -> Principal | None:
        if token is not None:
            for kind in (self._plugins, self._users):
                if kind is not None and (found := await kind.principal(token)) is not None:
                    return found
        return await self._external.principal(text, token)


class CachingAuthenticator:
    """Remembers whom good tokens stand for, by their SHA-256, until they end or ten minutes have passed.

    A bad token is never remembered, nor is a failure.
    """

    def __init__(self, inner: Authenticator, clock: Clock, *, most_kept: int = MOST_KEPT) -> None:
        self._inner = inner
        self._clock = clock
        self._most_kept = most_kept
        self._known: OrderedDict[bytes, tuple[Principal, datetime]] = OrderedDict()

    async def authenticate(self, token: str) -> Principal:
        """See `Authenticator`."""
        key = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._known.get(key)
        if known is not None:
            if known[1] > self._clock.now():
                return known[0]
            del self._known[key]
        principal = await self._inner.authenticate(token)
        until = self._clock.now() + KEPT
        if principal.expire_time is not None:
            until = min(until, principal.expire_time)
        self._known[key] = (principal, until)
        while len(self._known) > self._most_kept:
            self._known.popitem(last=False)
        return principal
