"""The authenticator of a server that trusts a backend, for tests."""

from __future__ import annotations

import base64

from techdocs_server.adapters.authentication.authenticating import TokenAuthenticator
from techdocs_server.adapters.authentication.external_access import (
    ExternalAccess,
    ExternalRights,
    ExternalToken,
    IssuedToken,
    LegacyToken,
    StaticToken,
    legacy_secret,
)
from techdocs_server.adapters.authentication.key_fetching import KeyFetcher
from techdocs_server.adapters.authentication.plugin_callers import PluginCallers
from techdocs_server.adapters.authentication.plugin_keys import PluginAddresses, PluginKeys
from techdocs_server.adapters.authentication.remote_keys import RemoteKeys
from techdocs_server.adapters.authentication.user_tokens import UserTokens
from techdocs_server.adapters.clock import SystemClock
from techdocs_server.domain.grants import Grant, Grants
from techdocs_server.domain.principal import Permission
from techdocs_server.ports.clock import Clock

from tests.support.token_issuers import Backstage

READER = "reader-0123456789"
PUBLISHER = "publisher-0123456789"
ADMIN = "admin-0123456789"
ELSEWHERE = "elsewhere-0123456789"
LEGACY_SECRET = base64.b64encode(b"a shared secret of 32 bytes, yes").decode()
PROVIDER_PATH = "/provider/jwks.json"
PROVIDER_ISSUER = "https://provider.example"


def external_ways(backstage: Backstage, fetcher: KeyFetcher, clock: Clock) -> list[ExternalToken]:
    """Return a way in of each kind."""
    return [
        StaticToken.of(READER, "reader", ExternalRights()),
        StaticToken.of(
            PUBLISHER, "ci", ExternalRights(frozenset({"techdocs", "catalog"}), frozenset({Permission.PUBLISH}))
        ),
        StaticToken.of(ELSEWHERE, "elsewhere", ExternalRights(frozenset({"catalog"}))),
        StaticToken.of(ADMIN, "root", ExternalRights()),
        IssuedToken(
            RemoteKeys(f"{backstage.url}{PROVIDER_PATH}", "the provider", fetcher.fetch),
            clock,
            issuers=frozenset({PROVIDER_ISSUER}),
            audiences=frozenset({"techdocs"}),
            algorithms=frozenset({"ES256"}),
            prefix="provider",
        ),
        LegacyToken("legacy", legacy_secret(LEGACY_SECRET), clock),
    ]


GRANTS = Grants([Grant("external:root", frozenset({Permission.ADMIN}))])


def authenticator(backstage: Backstage, fetcher: KeyFetcher, clock: Clock | None = None) -> TokenAuthenticator:
    """Return an authenticator that takes everything that backend signs, and a way in of each other kind."""
    clock = clock or SystemClock()
    users = UserTokens(
        RemoteKeys(f"{backstage.url}{backstage.user_keys_path}", "Backstage's users", fetcher.fetch), clock
    )
    plugins = PluginCallers(PluginKeys(PluginAddresses(backstage.url, {}), fetcher.fetch), users, clock)
    external = ExternalAccess(external_ways(backstage, fetcher, clock))
    return TokenAuthenticator(plugins=plugins, users=users, external=external, grants=GRANTS)
