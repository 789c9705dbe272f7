"""Settings of who is let in, and to what."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

import pydantic
from pydantic import Field

from techdocs_server.upkeep_settings import UpkeepSettings

_ALGORITHMS = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
_Permission = Literal["read", "sync", "publish", "admin"]
# backend-defaults, auth: what a subject and a plugin may be named.
_Subject = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^\S+$")]
_PluginId = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
_FEWEST_TOKEN_CHARACTERS = 8
_FEWEST_SECRET_BYTES = 16
_MODEL = pydantic.ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _web_address(value: str) -> str:
    """Return an address without its last slash. Raises `ValueError`."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError("must be an http or https address without user, query and fragment")
    return value.rstrip("/")


def _jwks_address(value: str) -> str:
    """Return the address of a key set; it may have a query. Raises `ValueError`."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.fragment:
        raise ValueError("must be an http or https address without user and fragment")
    return value


def _check_secret(text: str) -> None:
    try:
        size = len(base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True))
    except binascii.Error as error:
        raise ValueError("secret: must be base64") from error
    if size < _FEWEST_SECRET_BYTES:
        raise ValueError(f"secret: must be the base64 of at least {_FEWEST_SECRET_BYTES} bytes")


WebAddress = Annotated[str, pydantic.AfterValidator(_web_address)]


class AccessRestriction(pydantic.BaseModel):
    """A plugin that an external token is for, as in Backstage's ``accessRestrictions``."""

    model_config = _MODEL

    plugin: _PluginId


class ExternalAccessSettings(pydantic.BaseModel):
    """One way in for programs outside of Backstage: an ``[[external_access]]`` table of the TOML file.

    The names are those of Backstage's ``backend.auth.externalAccess``.
    """

    model_config = _MODEL

    type: Literal["static", "jwks", "legacy"]
    subject: _Subject | None = None
    token: pydantic.SecretStr | None = None
    secret: pydantic.SecretStr | None = None
    url: Annotated[str, pydantic.AfterValidator(_jwks_address)] | None = None
    issuer: tuple[str, ...] = ()
    audience: tuple[str, ...] = ()
    algorithm: tuple[_ALGORITHMS, ...] = ()
    subject_prefix: _Subject | None = None
    access_restrictions: tuple[AccessRestriction, ...] = ()
    permissions: tuple[_Permission, ...] = ()

    @pydantic.field_validator("issuer", "audience", "algorithm", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @pydantic.model_validator(mode="after")
    def _is_whole(self) -> Self:
        needed, allowed = {
            "static": ({"token", "subject"}, set[str]()),
            # Who is called what at a provider is the provider's matter, so its names are kept apart from the operator's.
            "jwks": ({"url", "subject_prefix"}, {"issuer", "audience", "algorithm"}),
            "legacy": ({"secret", "subject"}, set[str]()),
        }[self.type]
        common = {"type", "access_restrictions", "permissions"}
        for name in sorted(needed):
            if getattr(self, name) is None:
                raise ValueError(f"{name}: must be set where type is {self.type}")
        # By their values: check-config prints what is not set as well.
        for name in sorted(set(type(self).model_fields) - needed - allowed - common):
            if getattr(self, name):
                raise ValueError(f"{name}: means nothing where type is {self.type}")
        if self.token is not None and len(self.token.get_secret_value()) < _FEWEST_TOKEN_CHARACTERS:
            raise ValueError(f"token: must have at least {_FEWEST_TOKEN_CHARACTERS} characters")
        if self.token is not None and set(self.token.get_secret_value()) == {"*"}:
            raise ValueError("token: is what check-config shows in place of the token; write the token itself")
        if self.token is not None and re.search(r"\s", self.token.get_secret_value()):
            raise ValueError("token: must have no spaces")
        if self.secret is not None:
            _check_secret(self.secret.get_secret_value())
        return self


def _check_names_apart(ways: tuple[ExternalAccessSettings, ...]) -> None:
    """Raise `ValueError` where a provider could name a caller as another table does, and have what is granted to that."""
    names = [way.subject.removeprefix("external:") if way.subject else way.subject_prefix or "" for way in ways]
    for prefix in {way.subject_prefix for way in ways if way.subject_prefix}:
        if any(name.startswith(f"{prefix}:") for name in names):
            raise ValueError(
                f"external_access: subject_prefix {prefix!r} has the names of another table below it; choose another one"
            )


class GrantSettings(pydantic.BaseModel):
    """Permissions for callers by name: a ``[[grants]]`` table of the TOML file. ``*`` in the subject is anything."""

    model_config = _MODEL

    subject: _Subject
    permissions: tuple[_Permission, ...] = Field(min_length=1)


class AccessSettings(UpkeepSettings):
    """How callers prove who they are, and what each may do."""

    authentication: Literal["none", "tokens", "backstage"] = Field(
        default="none",
        description="none lets everybody do everything; tokens takes those of external_access; backstage takes those "
        "of Backstage's users and plugins as well",
    )
    policy: Literal["open", "catalog"] = Field(
        default="open",
        description="open shows every site to whoever is known, catalog shows what the catalog shows to the caller",
    )
    backstage_url: WebAddress | None = Field(
        default=None,
        description="where this service reaches the Backstage backend, such as http://127.0.0.1:7007; a plugin is at "
        "{backstage_url}/api/{plugin}",
    )
    backstage_plugin_urls: dict[_PluginId, WebAddress] = Field(
        default_factory=dict, description="base addresses of plugins that are elsewhere, by plugin"
    )
    external_access: tuple[ExternalAccessSettings, ...] = Field(
        default=(), description="tokens of programs outside of Backstage"
    )
    bridge_token: pydantic.SecretStr | None = Field(
        default=None,
        description="token with which the bridge hears of changes of every site, the same for server and bridge; "
        "serve makes one itself",
    )
    grants: tuple[GrantSettings, ...] = Field(
        default=(), description="permissions by the caller's name; publishing and administration need one"
    )

    @pydantic.field_validator("bridge_token")
    @classmethod
    def _bridge_token_is_a_token(cls, value: pydantic.SecretStr | None) -> pydantic.SecretStr | None:
        if value is not None and not re.fullmatch(r"[\x21-\x7e]{32,512}", value.get_secret_value()):
            raise ValueError("must have 32 to 512 printable ASCII characters and no spaces")
        return value

    @pydantic.model_validator(mode="after")
    def _access_is_whole(self) -> Self:
        if self.authentication == "backstage" and self.backstage_url is None:
            raise ValueError("backstage_url: must be set where authentication is backstage")
        if self.authentication == "tokens" and not self.external_access:
            raise ValueError("external_access: must have a table where authentication is tokens, or nobody gets in")
        _check_names_apart(self.external_access)
        if self.authentication == "none":
            if self.external_access:
                raise ValueError("external_access: has no effect while authentication is none; set authentication")
            if self.grants:
                raise ValueError("grants: has no effect while authentication is none; set authentication")
            if self.policy == "catalog":
                raise ValueError("policy: catalog needs callers that are known; set authentication")
        return self
