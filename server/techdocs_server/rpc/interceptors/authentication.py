"""Who calls, and whether such a caller may call this at all."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from techdocs_server.domain.access_errors import AccessDenied, Unauthenticated
from techdocs_server.domain.principal import Permission, Principal, PrincipalKind
from techdocs_server.ports.authentication import Authenticator
from techdocs_server.rpc.access_rules import AccessRule
from techdocs_server.rpc.interceptors.wrapping import Call, CallInterceptor, Context
from techdocs_server.rpc.principal import set_principal
from techdocs_server.telemetry.context import caller

_KEY = "authorization"
# backend-defaults, auth: getTokenFromRequest. Any other scheme is as good as no header.
_BEARER = re.compile(r"Bearer +(\S+)", re.IGNORECASE)
_EVERYTHING = frozenset(Permission)


class AuthenticationInterceptor(CallInterceptor):
    """Proves who calls before anything of the request is looked at.

    Stands before parsing, so that a caller who is not let in learns nothing of what it sent. Without an authenticator
    everybody may do everything, under the name of the address they call from.
    """

    def __init__(self, rules: Mapping[str, AccessRule], authenticator: Authenticator | None) -> None:
        self._rules = rules
        self._authenticator = authenticator

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """See `CallInterceptor`."""
        principal = await self._principal(call)
        set_principal(principal)
        caller.set(f"{principal.subject} via {principal.actor}" if principal.actor else principal.subject)
        yield

    async def _principal(self, call: Call) -> Principal:
        rule = self._rules.get(call.method)
        if rule is None:
            raise AccessDenied(f"{call.method} has no rule of access")
        if self._authenticator is None:
            return Principal(PrincipalKind.ANONYMOUS, caller.get(), permissions=_EVERYTHING)
        if rule.permission is Permission.PUBLIC:
            return Principal(PrincipalKind.ANONYMOUS, caller.get())
        principal = await self._authenticator.authenticate(_token(call.context))
        if principal.is_limited and not rule.limited_token_suffices:
            raise Unauthenticated("Illegal limited user token")
        if rule.is_granted_by_name and rule.permission not in principal.permissions:
            raise AccessDenied(f"{principal.subject} has no permission to {rule.permission.value} here")
        return principal


def _token(context: Context) -> str:
    """Return the bearer token of a call, empty for none. Raises `Unauthenticated` when there are several headers."""
    values = [value for key, value in context.invocation_metadata() or () if key == _KEY]
    if len(values) > 1:
        # Whoever stands between may have looked at another one of them than this server would.
        raise Unauthenticated("Illegal token")
    if not values or not isinstance(values[0], str):
        return ""
    found = _BEARER.fullmatch(values[0])
    return found[1] if found else ""
