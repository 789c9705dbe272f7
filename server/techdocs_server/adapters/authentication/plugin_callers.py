"""Tokens of other plugins of Backstage (backend-defaults, auth, plugin/PluginTokenHandler)."""

from __future__ import annotations

import re
from dataclasses import replace

from techdocs_server.adapters.authentication.claims import Claims, ClaimsInvalid, check_claims
from techdocs_server.adapters.authentication.plugin_keys import PluginKeys
from techdocs_server.adapters.authentication.tokens import Token
from techdocs_server.adapters.authentication.user_tokens import UserTokenKind, UserTokens, kind_of
from techdocs_server.domain.access_errors import Unauthenticated
from techdocs_server.domain.principal import Principal, PrincipalKind
from techdocs_server.ports.clock import Clock

OWN_PLUGIN = "techdocs"
PLUGIN_TYPE = "vnd.backstage.plugin"
FAILED = "Failed plugin token verification"
_OBO_IS_NONE = "Invalid user token in plugin token obo claim"
_PLUGIN = re.compile(r"[A-Za-z0-9_-]{1,64}")
_AUDIENCE = frozenset({OWN_PLUGIN})


class PluginCallers:
    """Verifies tokens of plugins by each plugin's own keys, and the users they act for."""

    def __init__(self, keys: PluginKeys, users: UserTokens, clock: Clock) -> None:
        self._keys = keys
        self._users = users
        self._clock = clock

    async def principal(self, token: Token) -> Principal | None:
        """Return the plugin, or the user it acts for; None when the token says that it is not one of a plugin.

        Raises `Unauthenticated` and `AuthenticationUnavailable`.
        """
        if token.type != PLUGIN_TYPE:
            return None
        claims = await self._verified(token)
        actor = f"plugin:{claims.subject}"
        if "obo" in token.claims:
            return await self._user(token.claims["obo"], actor, claims)
        return Principal(PrincipalKind.SERVICE, actor, expire_time=claims.expire_time)

    async def _verified(self, token: Token) -> Claims:
        plugin = token.claims.get("sub")
        # Before anything is fetched: the name becomes part of an address.
        if not isinstance(plugin, str) or not _PLUGIN.fullmatch(plugin) or not token.is_for(_AUDIENCE):
            raise Unauthenticated(FAILED)
        keys = await self._keys.of(plugin).candidates(token)
        if not any(key.verifies(token) for key in keys):
            raise Unauthenticated(FAILED)
        try:
            return check_claims(token, self._clock.now())
        except ClaimsInvalid as error:
            raise Unauthenticated(FAILED) from error

    async def _user(self, proof: object, actor: str, plugin: Claims) -> Principal:
        token = Token.parse(proof) if isinstance(proof, str) else None
        # A full token is never handed on: whoever holds it can do everything as the user.
        if token is None or kind_of(token) not in (UserTokenKind.LIMITED, UserTokenKind.LEGACY):
            raise Unauthenticated(_OBO_IS_NONE)
        user = await self._users.principal(token)
        if user is None or user.expire_time is None:
            raise Unauthenticated(_OBO_IS_NONE)
        ends = min(user.expire_time, plugin.expire_time)
        return replace(user, actor=actor, is_limited=False, expire_time=ends)
