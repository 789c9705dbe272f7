"""Errors of who may do what. See `errors` for the tree."""

from __future__ import annotations

from techdocs_server.domain.errors import TechDocsError, Unavailable


class AccessError(TechDocsError):
    """The caller is not let in."""


class Unauthenticated(AccessError):
    """No credentials, or ones that prove nothing. ``message`` is one that Backstage's clients know."""

    reason = "TOKEN_INVALID"

    def __init__(self, message: str = "Missing credentials") -> None:
        super().__init__(message)


class IdentityProofMissing(Unauthenticated):
    """A user token without the proof (claim ``uip``) that a limited token is made of (backend-defaults, auth/user)."""

    def __init__(self) -> None:
        super().__init__("Failed to create limited user token, missing user identity proof")


class AccessDenied(AccessError):
    """The caller is known, and may not do this."""

    reason = "ACCESS_DENIED"


class AuthenticationUnavailable(Unavailable):
    """The keys that tokens are checked with cannot be had."""

    reason = "AUTHENTICATION_UNAVAILABLE"

    def __init__(self, issuer: str) -> None:
        super().__init__(f"the keys of {issuer} cannot be had, so its tokens cannot be checked; try again")
