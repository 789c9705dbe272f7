"""Telling who a caller is, and proving to others who calls."""

from __future__ import annotations

from typing import Protocol

from techdocs_server.domain.principal import Principal


class Authenticator(Protocol):
    """Verifies tokens."""

    async def authenticate(self, token: str) -> Principal:
        """Return whom a bearer token stands for. An empty one is no credentials.

        Raises `Unauthenticated` for a token that is not good, saying why in the words Backstage's clients know;
        `AccessDenied` for a good one that is not meant for this service; and `AuthenticationUnavailable` when the keys
        it would be checked with cannot be had: it is never taken for a good one, nor for a bad one.
        """
        ...


class PluginTokens(Protocol):
    """Makes the tokens with which this service calls other plugins of Backstage."""

    async def token_for(self, plugin: str, principal: Principal) -> str:
        """Return a bearer token for calls to a plugin, such as ``catalog``, in the name of ``principal``.

        For a user it carries the user's limited token as proof (claim ``obo``), so that the plugin grants what it
        grants the user; for anything else the call is this service's own. It is good for at least a minute unless
        the user's own token ends sooner. Raises `StorageUnavailable` when the signing key cannot be had, and
        `Unauthenticated` for a user without a proof: such a call is never made with this service's own rights.
        """
        ...
