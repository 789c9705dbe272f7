"""The tokens with which this service calls other plugins (backend-defaults, auth, plugin/PluginTokenHandler)."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from datetime import datetime, timedelta

import jwt

from techdocs_server.adapters.authentication.plugin_callers import OWN_PLUGIN, PLUGIN_TYPE
from techdocs_server.adapters.authentication.signing_keys import ALGORITHM, TOKEN_LIFE, SigningKeys
from techdocs_server.domain.access_errors import IdentityProofMissing, Unauthenticated
from techdocs_server.domain.principal import Principal, PrincipalKind
from techdocs_server.ports.clock import Clock

_LEAST_LEFT = timedelta(minutes=1)
MOST_KEPT = 10_000


class SigningPluginTokens:
    """PluginTokens that are signed with this service's own keys, and used again while they are good for a while."""

    def __init__(self, keys: SigningKeys, clock: Clock, *, most_kept: int = MOST_KEPT) -> None:
        self._keys = keys
        self._clock = clock
        self._most_kept = most_kept
        self._made: OrderedDict[tuple[str, bytes], tuple[str, datetime]] = OrderedDict()

    async def token_for(self, plugin: str, principal: Principal) -> str:
        """See `PluginTokens`.

        Raises `Unauthenticated` for a user without proof: the call must not be made with this service's own rights.
        """
        is_user = principal.kind is PrincipalKind.USER
        if is_user and not principal.user_proof:
            raise IdentityProofMissing
        proof = principal.user_proof if is_user else ""
        now = self._clock.now()
        ends = min(now + TOKEN_LIFE, principal.expire_time) if is_user and principal.expire_time else now + TOKEN_LIFE
        if ends <= now:
            raise Unauthenticated("Failed user token verification")
        key = (plugin, hashlib.sha256(proof.encode()).digest())
        made = self._made.get(key)
        # One that ends soon is used again only where a new one would end as soon.
        if made is not None and (made[1] - now >= _LEAST_LEFT or made[1] >= ends):
            return made[0]
        token = await self._signed(plugin, proof, now, ends)
        self._made[key] = (token, ends)
        while len(self._made) > self._most_kept:
            self._made.popitem(last=False)
        return token

    async def _signed(self, plugin: str, proof: str, now: datetime, ends: datetime) -> str:
        key = await self._keys.current()
        claims: dict[str, object] = {
            "sub": OWN_PLUGIN,
            "aud": plugin,
            "iat": int(now.timestamp()),
            "exp": int(ends.timestamp()),
        }
        if proof:
            claims["obo"] = proof
        headers = {"typ": PLUGIN_TYPE, "kid": key.kid}
        return jwt.encode(claims, key.private_key, algorithm=ALGORITHM, headers=headers)
