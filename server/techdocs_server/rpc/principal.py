"""Who makes the call that is being served."""

from __future__ import annotations

from contextvars import ContextVar

from techdocs_server.domain.principal import Principal, PrincipalKind

_ANONYMOUS = Principal(PrincipalKind.ANONYMOUS, "anonymous")
principal: ContextVar[Principal] = ContextVar("principal", default=_ANONYMOUS)


def current_principal() -> Principal:
    """Return the caller of this call, as far as it is proven. Servicers hand it to services as an argument."""
    return principal.get()
