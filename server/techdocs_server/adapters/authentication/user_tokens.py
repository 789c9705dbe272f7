"""Tokens of Backstage's users (backend-defaults, auth, user/UserTokenHandler; plugin-auth-node, types)."""

from __future__ import annotations

import enum
import json
import re

from techdocs_server.adapters.authentication.claims import ClaimsInvalid, check_claims
from techdocs_server.adapters.authentication.remote_keys import RemoteKeys
from techdocs_server.adapters.authentication.tokens import Token, encoded
from techdocs_server.domain.access_errors import Unauthenticated
from techdocs_server.domain.principal import Principal, PrincipalKind
from techdocs_server.ports.clock import Clock

USER_TYPE = "vnd.backstage.user"
LIMITED_TYPE = "vnd.backstage.limited-user"
FAILED = "Failed user token verification"
_LEGACY_AUDIENCE = "backstage"
# What a catalog entity is called: kind:namespace/name. Nothing that a plugin or an external program is called fits.
_ENTITY = re.compile(r"[A-Za-z][A-Za-z0-9]*:[^\s/:]+/[^\s/:]+")


class UserTokenKind(enum.Enum):
    """What a token of a user is good for."""

    FULL = "full"
    """Everything the user may do; the proof inside makes a limited one of it."""
    LIMITED = "limited"
    """Reading contents, and proving to other plugins for whom a call is made."""
    LEGACY = "legacy"
    """Everything: tokens of older Backstages have no type, and are the proof themselves."""


def kind_of(token: Token) -> UserTokenKind | None:
    """Return what kind of user token this says it is, None for another token."""
    if token.type == USER_TYPE:
        return UserTokenKind.FULL
    if token.type == LIMITED_TYPE:
        return UserTokenKind.LIMITED
    if token.type in ("", "JWT") and token.claims.get("aud") == _LEGACY_AUDIENCE:
        return UserTokenKind.LEGACY
    return None


class UserTokens:
    """Verifies tokens of users by the keys of the plugin ``auth``."""

    def __init__(self, keys: RemoteKeys, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock

    async def principal(self, token: Token) -> Principal | None:
        """Return the user, None when the token says that it is not one of a user.

        Raises `Unauthenticated` and `AuthenticationUnavailable`.
        """
        kind = kind_of(token)
        if kind is None:
            return None
        keys = await self._keys.candidates(token)
        try:
            if not any(key.verifies(token) for key in keys):
                raise ClaimsInvalid("no key of the issuer has signed it")
            claims = check_claims(token, self._clock.now())
            if not _ENTITY.fullmatch(claims.subject):
                raise ClaimsInvalid("it is not of an entity")
        except ClaimsInvalid as error:
            raise Unauthenticated(FAILED) from error
        return Principal(
            PrincipalKind.USER,
            claims.subject,
            is_limited=kind is UserTokenKind.LIMITED,
            expire_time=claims.expire_time,
            user_proof=limited_token(token) if kind is UserTokenKind.FULL else token.text,
        )


def limited_token(token: Token) -> str:
    """Return the limited token inside a verified user token, empty when it has none.

    The claim ``uip`` is the issuer's signature over these two parts, which must be the very bytes that were signed:
    the names in this order, no spaces (auth-backend, identity/issueUserToken).
    """
    proof, claims = token.claims.get("uip"), token.claims
    if not isinstance(proof, str) or not re.fullmatch(r"[A-Za-z0-9_-]+", proof):
        return ""
    header = {"typ": LIMITED_TYPE, "alg": token.algorithm, "kid": token.kid}
    payload = {"sub": claims.get("sub"), "iat": claims.get("iat"), "exp": claims.get("exp")}
    return f"{_part(header)}.{_part(payload)}.{proof}"


def _part(value: object) -> str:
    return encoded(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())
