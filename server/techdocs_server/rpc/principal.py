"""Who makes the call being served."""

from __future__ import annotations

from contextvars import ContextVar

from techdocs_server.domain.principal import Principal, PrincipalKind

NOBODY = Principal(PrincipalKind.ANONYMOUS, "anonymous")
"""Who calls outside of a call: somebody who may do nothing."""

_principal: ContextVar[Principal] = ContextVar("principal", default=NOBODY)


def current_principal() -> Principal:
    """Return the principal of the call being served. Its rights are checked before the servicer is asked."""
    return _principal.get()


def set_principal(principal: Principal) -> None:
    """Make a principal the one of the call being served."""
    _principal.set(principal)
