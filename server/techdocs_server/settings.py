"""Everything an operator can set: the only reader of the environment and the configuration file.

A setting ``name`` comes from the environment variable ``TECHDOCS_NAME``, else from
the key ``name`` of the TOML file that ``--config`` or ``TECHDOCS_CONFIG`` gives,
else from its default. Unknown names and half-given groups are refused by name.
"""

from __future__ import annotations

import difflib
import ipaddress
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

import pydantic
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from techdocs_server.bridge_settings import RESTSettings

_PREFIX = "TECHDOCS_"
_CONFIG = "TECHDOCS_CONFIG"
# Read by the command's client; a shell that has it may start a server too.
_TOKEN = "TECHDOCS_TOKEN"  # noqa: S105 - the name of a variable
_LOOPBACK_NAMES = frozenset({"localhost"})


class SettingsInvalid(Exception):
    """Settings that cannot be used. One problem a line, each naming its setting and what to do."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where a server listens. Port 0 means any free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: object) -> Self:
        """Parse ``host:port``, with an IPv6 host in brackets. Raises `ValueError`."""
        host, _, port = str(text).rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not host or not port.isdecimal() or int(port) > 65535:
            raise ValueError("must be host:port, for example 127.0.0.1:7070")
        return cls(host, int(port))

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host in _LOOPBACK_NAMES

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


Listen = Annotated[ListenAddress, NoDecode, pydantic.PlainValidator(ListenAddress.parse), pydantic.PlainSerializer(str)]


class SourceHostSettings(pydantic.BaseModel):
    """One host that ``url:`` sources may come from: a ``[[source_hosts]]`` table of the TOML file."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    host: str
    type: str
    token: pydantic.SecretStr | None = None
    username: str | None = None
    base_path: str = ""
    allow_http: bool = False
    allow_private_addresses: bool = False
    ca_certificates: Path | None = None


class Settings(RESTSettings):
    """The settings. Sizes are bytes, times are seconds."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, extra="forbid", frozen=True)

    data_directory: Path = Field(default=Path(".techdocs"), description="where sites, records and workspaces are kept")

    server_listen: Listen = Field(default=ListenAddress("127.0.0.1", 7070), description="where gRPC listens")
    server_drain_seconds: PositiveFloat = Field(
        default=25.0, allow_inf_nan=False, description="how long running calls may go on after SIGTERM"
    )
    server_max_concurrent_calls: PositiveInt = Field(default=256, description="calls served at once; more are refused")
    server_reflection_enabled: bool = Field(default=True, description="whether clients may ask for the contract")
    server_tls_certificate: Path | None = Field(default=None, description="PEM certificate chain; needs server_tls_key")
    server_tls_key: Path | None = Field(default=None, description="PEM private key; needs server_tls_certificate")

    bridge_listen: Listen = Field(default=ListenAddress("127.0.0.1", 7071), description="where REST listens")
    bridge_server_target: str = Field(default="127.0.0.1:7070", description="the gRPC server that the bridge calls")
    bridge_server_ca: Path | None = Field(
        default=None, description="PEM certificates to trust of that server; turns TLS on"
    )
    bridge_mount: str = Field(
        default="/api/techdocs", description="path that every route is served below, beside the root"
    )
    bridge_cache_bytes: NonNegativeInt = Field(
        default=128 * 1024 * 1024, description="most bytes of answers that the bridge keeps in memory; 0 keeps none"
    )

    build_concurrency: PositiveInt = Field(default=2, description="builds that run at once")
    build_queue_limit: PositiveInt = Field(default=100, description="builds that may wait; more are refused")
    build_timeout_seconds: PositiveFloat = Field(
        default=600.0, allow_inf_nan=False, description="how long MkDocs may take"
    )
    build_python: Path | None = Field(
        default=None, description="interpreter that has MkDocs; this service's own by default"
    )

    refresh_interval_seconds: NonNegativeFloat = Field(
        default=0.0, description="how often every entity is looked at unasked, and built where it changed; 0 is never"
    )

    build_isolation: Literal["auto", "require", "degraded"] = Field(
        default="auto",
        description="require refuses to build where builds cannot be isolated, degraded builds with what there is; "
        "auto requires it when a listener is not on loopback",
    )
    build_render_processes: NonNegativeInt = Field(
        default=0, description="processes in which one build renders pages at once; 0 is one per processor"
    )
    build_prune_navigation_above: NonNegativeInt = Field(
        default=0,
        description="sites of more pages than this show a pruned navigation, which makes them much smaller; 0 is none",
    )
    build_external_fonts: bool = Field(
        default=True,
        description="whether pages load the theme's fonts from Google; where browsers cannot reach it, Backstage's reader "
        "shows no page before they are there",
    )
    build_max_memory_bytes: PositiveInt = Field(default=2 * 1024**3, description="most memory of one build")
    build_max_processes: PositiveInt = Field(default=128, description="most processes and threads of one build")
    build_cpu_seconds: PositiveInt = Field(default=600, description="most processor time of one build")
    build_allowed_plugins: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="further MkDocs plugins that authors may use, each with the options they may set",
    )
    build_readme_as_index: bool = Field(
        default=False, description="whether a README is the front page where there is no index.md"
    )
    build_diagrams: bool = Field(
        default=False, description="whether documents may run this machine's dot and plantuml for diagrams"
    )

    source_hosts: tuple[SourceHostSettings, ...] = Field(
        default=(), description="hosts that url: sources may come from; none by default"
    )
    source_max_bytes: PositiveInt = Field(default=512 * 1024**2, description="most bytes of one documentation source")
    source_max_files: PositiveInt = Field(default=50_000, description="most files of one documentation source")
    site_max_bytes: PositiveInt = Field(
        default=2 * 1024**3, le=2**63 - 1, description="most bytes of one generated site"
    )
    site_max_files: PositiveInt = Field(default=50_000, le=2**31 - 1, description="most files of one generated site")

    publish_enabled: bool = Field(default=True, description="whether sites that were built elsewhere may be published")
    publish_blob_grace_seconds: PositiveFloat = Field(
        default=86_400.0,
        allow_inf_nan=False,
        le=366 * 86_400.0,
        description="how long contents that were sent for a publish are kept before one names them",
    )

    reuse_max_bytes: NonNegativeInt = Field(
        default=4 * 1024**3, description="most bytes that builds leave for the next builds of their sites; 0 is nothing"
    )

    compress_variants: bool = Field(
        default=True, description="whether pages and other texts are kept brotli and gzip encoded as well"
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="least severity logged")
    log_format: Literal["text", "json"] = Field(default="text", description="how lines of log look")
    serve_without_authentication: bool = Field(
        default=False,
        description="yes, listen beyond this machine although everybody who can connect may do everything",
    )

    @pydantic.field_validator("bridge_mount")
    @classmethod
    def _mount_is_a_path(cls, value: str) -> str:
        if value and (not value.startswith("/") or value.endswith("/") or "//" in value):
            raise ValueError("must be empty, or begin with a slash and not end in one")
        return value

    @pydantic.model_validator(mode="after")
    def _groups_are_whole(self) -> Self:
        if (self.server_tls_certificate is None) != (self.server_tls_key is None):
            missing = "server_tls_key" if self.server_tls_key is None else "server_tls_certificate"
            raise ValueError(f"{missing}: must be set too, since the other half of the pair is")
        for name in ("server_listen", "bridge_listen"):
            address: ListenAddress = getattr(self, name)
            if self.authentication == "none" and not address.is_loopback and not self.serve_without_authentication:
                raise ValueError(
                    f"{name}: {address} is reachable from other machines and authentication is none; set "
                    "authentication, listen on 127.0.0.1, or set serve_without_authentication=true to accept that"
                )
        return self

    @property
    def requires_isolation(self) -> bool:
        """Whether a machine that cannot isolate builds must not build."""
        exposed = not (self.server_listen.is_loopback and self.bridge_listen.is_loopback)
        return self.build_isolation == "require" or (self.build_isolation == "auto" and exposed)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: environment, then the TOML file that ``model_config`` names."""
        return env_settings, TomlConfigSettingsSource(settings_cls)


def load_settings(config: Path | None, environment: Mapping[str, str]) -> Settings:
    """Return the settings of a process.

    ``environment`` must be that of the process: it is checked for unknown names
    here, and read by pydantic-settings. Raises `SettingsInvalid`.
    """
    path = config or (Path(environment[_CONFIG]) if environment.get(_CONFIG) else None)
    problems = [_unknown(name, f"environment variable {name}") for name in _unknown_variables(environment)]
    if path is not None:
        problems += [_unknown(name, f"{path}: {name}") for name in _unknown_keys(path)]
    if problems:
        raise SettingsInvalid(problems)

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=path)

    try:
        return FromFile()
    except pydantic.ValidationError as error:
        raise SettingsInvalid([_problem(details) for details in error.errors()]) from error


def _unknown_variables(environment: Mapping[str, str]) -> list[str]:
    known = {_CONFIG, _TOKEN, *(_PREFIX + name.upper() for name in Settings.model_fields)}
    return sorted(name for name in environment if name.upper().startswith(_PREFIX) and name.upper() not in known)


def _unknown_keys(path: Path) -> list[str]:
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsInvalid([f"{path}: cannot be read: {error.strerror}"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsInvalid([f"{path}: is not TOML: {error}"]) from error
    return sorted(set(document) - set(Settings.model_fields))


def _unknown(name: str, where: str) -> str:
    setting = name.upper().removeprefix(_PREFIX).lower()
    near = difflib.get_close_matches(setting, Settings.model_fields, n=1)
    return f"{where} is not a setting" + (f"; did you mean {near[0]}?" if near else "")


def _problem(details: Mapping[str, object]) -> str:
    location = details.get("loc")
    parts = [str(part) for part in location] if isinstance(location, tuple) else []
    name = ".".join(parts)
    text = str(details.get("msg", "")).removeprefix("Value error, ")
    return f"{name} ({_PREFIX}{parts[0].upper()}): {text}" if parts else text
