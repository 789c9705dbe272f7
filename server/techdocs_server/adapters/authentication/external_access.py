"""Tokens of programs outside of Backstage (backend-defaults, auth, external/*)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from techdocs_server.adapters.authentication.claims import ClaimsInvalid, check_claims
from techdocs_server.adapters.authentication.plugin_callers import OWN_PLUGIN
from techdocs_server.adapters.authentication.remote_keys import RemoteKeys
from techdocs_server.adapters.authentication.tokens import Token
from techdocs_server.domain.access_errors import AccessDenied, AuthenticationUnavailable
from techdocs_server.domain.principal import Permission, Principal, PrincipalKind
from techdocs_server.ports.clock import Clock

_LEGACY_SUBJECT = "backstage-server"


@dataclass(frozen=True, slots=True)
class ExternalRights:
    """What a way in is for: the plugins it is restricted to (none: not restricted), and permissions granted with it."""

    plugins: frozenset[str] = frozenset()
    permissions: frozenset[Permission] = frozenset()


class ExternalToken(Protocol):
    """One way in."""

    @property
    def rights(self) -> ExternalRights:
        """What it is for."""
        ...

    async def subject(self, text: str, token: Token | None) -> tuple[str, datetime | None] | None:
        """Return whom a token is of and when it ends, None when it is not a good one of this way in.

        ``token`` are its parts, None when it has none. Raises `AuthenticationUnavailable`.
        """
        ...


def external_subject(name: str) -> str:
    """Return the subject of an external program, as Backstage calls it."""
    return name if name.startswith("external:") else f"external:{name}"


@dataclass(frozen=True, slots=True)
class StaticToken:
    """A token that is a secret of its own."""

    name: str
    digest: bytes = field(repr=False)
    rights: ExternalRights = ExternalRights()

    @classmethod
    def of(cls, secret: str, name: str, rights: ExternalRights) -> StaticToken:
        """Make one of the secret itself, of which only the digest is kept."""
        return cls(name, hashlib.sha256(secret.encode()).digest(), rights)

    async def subject(self, text: str, token: Token | None) -> tuple[str, datetime | None] | None:
        """See `ExternalToken`. Takes as long for a wrong token as for a right one."""
        given = hashlib.sha256(text.encode("utf-8", "replace")).digest()
        return (external_subject(self.name), None) if hmac.compare_digest(given, self.digest) else None


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """Tokens that an identity provider signs. Empty issuers, audiences and algorithms: any.

    ``prefix`` keeps the names that the provider gives apart from those of static tokens and of other providers: what is
    granted to ``external:ci`` is not for whoever calls itself ``ci`` there.
    """

    keys: RemoteKeys
    clock: Clock
    prefix: str
    issuers: frozenset[str] = frozenset()
    audiences: frozenset[str] = frozenset()
    algorithms: frozenset[str] = frozenset()
    rights: ExternalRights = ExternalRights()

    async def subject(self, text: str, token: Token | None) -> tuple[str, datetime | None] | None:
        """See `ExternalToken`."""
        if token is None or not self._fits(token):
            return None
        if not any(key.verifies(token) for key in await self.keys.candidates(token)):
            return None
        try:
            claims = check_claims(token, self.clock.now(), needs_issue_time=False)
        except ClaimsInvalid:
            return None
        return f"external:{self.prefix}:{claims.subject}", claims.expire_time

    def _fits(self, token: Token) -> bool:
        """Whether the token may be one of this issuer. Before its keys are fetched."""
        issuer = token.claims.get("iss")
        return (
            (not self.issuers or (isinstance(issuer, str) and issuer in self.issuers))
            and (not self.audiences or token.is_for(self.audiences))
            and (not self.algorithms or token.algorithm in self.algorithms)
            and token.algorithm not in ("none", "HS256", "HS384", "HS512")
        )


@dataclass(frozen=True, slots=True)
class LegacyToken:
    """Tokens signed with a secret that both sides know, as Backstage's plugins did before they had keys."""

    name: str
    secret: bytes = field(repr=False)
    clock: Clock
    rights: ExternalRights = ExternalRights()

    async def subject(self, text: str, token: Token | None) -> tuple[str, datetime | None] | None:
        """See `ExternalToken`."""
        if token is None or token.algorithm != "HS256" or token.claims.get("sub") != _LEGACY_SUBJECT:
            return None
        if token.claims.get("aud"):
            return None
        expected = hmac.digest(self.secret, token.signed, "sha256")
        if not hmac.compare_digest(expected, token.signature):
            return None
        try:
            claims = check_claims(token, self.clock.now(), needs_issue_time=False)
        except ClaimsInvalid:
            return None
        return external_subject(self.name), claims.expire_time


def legacy_secret(text: str) -> bytes:
    """Return the bytes of a shared secret, which configurations hold in base64. Raises `ValueError`."""
    try:
        return base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("must be base64") from error


class ExternalAccess:
    """All ways in, in their order."""

    def __init__(self, ways: Sequence[ExternalToken]) -> None:
        self._ways = tuple(ways)

    async def principal(self, text: str, token: Token | None) -> Principal | None:
        """Return the program, None when the token is of no way in.

        Raises `AccessDenied` for one that is restricted to other plugins, and `AuthenticationUnavailable` when it is
        good for nothing else and the keys of a way in that it may be good for cannot be had.
        """
        unavailable: AuthenticationUnavailable | None = None
        for way in self._ways:
            try:
                found = await way.subject(text, token)
            except AuthenticationUnavailable as error:
                unavailable = error
                continue
            if found is not None:
                return _principal(found, way.rights)
        if unavailable is not None:
            raise unavailable
        return None


def _principal(found: tuple[str, datetime | None], rights: ExternalRights) -> Principal:
    if rights.plugins and OWN_PLUGIN not in rights.plugins:
        names = ", ".join(f"'{name}'" for name in sorted(rights.plugins))
        raise AccessDenied(f"This token's access is restricted to plugin(s) {names}")
    return Principal(PrincipalKind.SERVICE, found[0], expire_time=found[1], permissions=rights.permissions)
