"""Who is let in, made from settings: the authenticator, the policy, and the keys this service signs with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from techdocs_server.access_settings import ExternalAccessSettings
from techdocs_server.adapters.authentication.authenticating import CachingAuthenticator, TokenAuthenticator
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
from techdocs_server.adapters.authentication.plugin_tokens import SigningPluginTokens
from techdocs_server.adapters.authentication.remote_keys import RemoteKeys
from techdocs_server.adapters.authentication.signing_keys import SigningKeys
from techdocs_server.adapters.authentication.user_tokens import UserTokens
from techdocs_server.adapters.records.engine import SqlDatabase
from techdocs_server.adapters.records.sql_signing_keys import SqlSigningKeys
from techdocs_server.domain.grants import Grant, Grants
from techdocs_server.domain.principal import Permission
from techdocs_server.ports.authentication import Authenticator, PluginTokens
from techdocs_server.ports.catalog import Catalog
from techdocs_server.ports.clock import Clock
from techdocs_server.ports.records import BuildRecords
from techdocs_server.rpc.auth_servicer import AuthServicer
from techdocs_server.rpc.server import AccessControl
from techdocs_server.services.authorizing import CatalogPolicy
from techdocs_server.services.limited_tokens import LimitedTokens
from techdocs_server.settings import Settings

Own = Callable[[Callable[[], Awaitable[object]]], None]
"""Takes what closes something."""

_AUTH = "auth"
_BRIDGE = "techdocs-bridge"
# It hears of every site, whatever the catalog shows to it.
_FOLLOWING = ExternalRights(permissions=frozenset({Permission.READ}))


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """The keys that this service signs with, and the tokens it calls other plugins with."""

    keys: SigningKeys
    tokens: PluginTokens


def make_own_keys(database: SqlDatabase, clock: Clock) -> OwnKeys:
    """Make the keys of this service. Nothing is signed, and no key made, before it is needed."""
    keys = SigningKeys(SqlSigningKeys(database), clock)
    return OwnKeys(keys, SigningPluginTokens(keys, clock))


def make_authenticator(settings: Settings, clock: Clock, own: Own) -> Authenticator | None:
    """Make the authenticator, None for one that is not wanted."""
    if settings.authentication == "none":
        return None
    fetcher = KeyFetcher()
    own(fetcher.close)
    ways = [_way_in(index, way, fetcher, clock) for index, way in enumerate(settings.external_access)]
    if settings.bridge_token is not None:
        ways.append(StaticToken.of(settings.bridge_token.get_secret_value(), _BRIDGE, _FOLLOWING))
    external = ExternalAccess(ways)
    grants = Grants(Grant(grant.subject, _permissions(grant.permissions)) for grant in settings.grants)
    plugins: PluginCallers | None = None
    users: UserTokens | None = None
    if settings.authentication == "backstage" and settings.backstage_url is not None:
        addresses = PluginAddresses(settings.backstage_url, settings.backstage_plugin_urls)
        issuer = f"{addresses.base(_AUTH)}/.well-known/jwks.json"
        users = UserTokens(RemoteKeys(issuer, "Backstage's users", fetcher.fetch), clock)
        plugins = PluginCallers(PluginKeys(addresses, fetcher.fetch), users, clock)
    inner = TokenAuthenticator(plugins=plugins, users=users, external=external, grants=grants)
    return CachingAuthenticator(inner, clock)


def make_access(
    settings: Settings, authenticator: Authenticator | None, catalog: Catalog, builds: BuildRecords
) -> AccessControl:
    """Make what the server lets callers in by."""
    policy = CatalogPolicy(catalog, builds) if settings.policy == "catalog" else None
    return AccessControl(authenticator, policy)


def make_auth_servicer(authenticator: Authenticator | None, keys: SigningKeys, clock: Clock) -> AuthServicer:
    """Make the servicer of credentials."""
    return AuthServicer(limited_tokens=LimitedTokens(authenticator, clock), keys=keys)


def _way_in(index: int, way: ExternalAccessSettings, fetcher: KeyFetcher, clock: Clock) -> ExternalToken:
    plugins = frozenset(restriction.plugin for restriction in way.access_restrictions)
    rights = ExternalRights(plugins, _permissions(way.permissions))
    name = way.subject or ""
    if way.token is not None:
        return StaticToken.of(way.token.get_secret_value(), name, rights)
    if way.secret is not None:
        return LegacyToken(name, legacy_secret(way.secret.get_secret_value()), clock, rights)
    return IssuedToken(
        RemoteKeys(way.url or "", f"external_access {index}", fetcher.fetch),
        clock,
        prefix=way.subject_prefix or "",
        issuers=frozenset(way.issuer),
        audiences=frozenset(way.audience),
        algorithms=frozenset(way.algorithm),
        rights=rights,
    )


def _permissions(names: tuple[str, ...]) -> frozenset[Permission]:
    return frozenset(Permission(name) for name in names)
