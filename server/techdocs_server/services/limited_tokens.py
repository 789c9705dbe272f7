"""Limited tokens: what a browser sends for pictures and styles, because it cannot send the user's own token there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from techdocs_server.domain.access_errors import (
    AccessDenied,
    AccessError,
    AuthenticationUnavailable,
    IdentityProofMissing,
)
from techdocs_server.domain.principal import Principal, PrincipalKind
from techdocs_server.ports.authentication import Authenticator
from techdocs_server.ports.clock import Clock

NOT_FOR_SERVICES = "This endpoint does not allow 'service' credentials"
# backend-defaults, httpAuth: a cookie with more left is answered as it is.
_ENOUGH = timedelta(minutes=5)
# Without authentication nothing ends; clients ask again a little before they are told it does.
_NOTHING_ENDS = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class LimitedToken:
    """A limited token, empty when the one that is held is good, and when it ends."""

    token: str
    expire_time: datetime
    is_new: bool


class LimitedTokens:
    """Makes limited tokens. No authenticator means that nobody has to prove anything."""

    def __init__(self, authenticator: Authenticator | None, clock: Clock) -> None:
        self._authenticator = authenticator
        self._clock = clock

    async def create(self, principal: Principal, *, held: str) -> LimitedToken:
        """Return a limited token of a user, unless ``held`` is one of the same user and good for a while.

        Raises `AccessDenied` for callers that are no users, and `IdentityProofMissing` when the user's own token has no
        proof to make a limited one of.
        """
        if self._authenticator is None:
            return LimitedToken("", self._clock.now() + _NOTHING_ENDS, is_new=False)
        if principal.kind is not PrincipalKind.USER:
            raise AccessDenied(NOT_FOR_SERVICES)
        ends = await self._end_of(held, principal)
        if ends is not None and ends > self._clock.now() + _ENOUGH:
            return LimitedToken("", ends, is_new=False)
        if not principal.user_proof:
            raise IdentityProofMissing
        return LimitedToken(principal.user_proof, principal.expire_time or self._clock.now(), is_new=True)

    async def _end_of(self, held: str, principal: Principal) -> datetime | None:
        """Return when a held token ends, None when it is not a good one of this user."""
        if not held or self._authenticator is None:
            return None
        try:
            found = await self._authenticator.authenticate(held)
        except (AccessError, AuthenticationUnavailable):
            return None
        is_theirs = found.kind is PrincipalKind.USER and found.is_limited and found.subject == principal.subject
        return (found.expire_time or datetime.min.replace(tzinfo=UTC)) if is_theirs else None
