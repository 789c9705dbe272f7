"""Settings of the REST bridge: where it is, who may ask it from where, and how much of it one client may hold.

What an origin is, the bridge says itself (``techdocs_bridge.cross_origin``); whoever starts a process asks it.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import pydantic
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from techdocs_server.catalog_settings import CatalogSettings


class RESTSettings(CatalogSettings):
    """What the bridge does besides carrying requests to a server."""

    bridge_external_url: str | None = Field(
        default=None,
        description="what browsers have in their address bar, like https://backstage.example.com; "
        "cookies are made for its host",
    )
    bridge_cors_origins: tuple[str, ...] = Field(
        default=(),
        description="origins whose pages may read answers, with credentials; * stands for one part of a host name",
    )
    bridge_trusted_proxies: tuple[str, ...] = Field(
        default=(), description="addresses and networks of proxies whose X-Forwarded headers are believed"
    )
    bridge_max_connections: PositiveInt = Field(default=4096, description="open connections of clients at once")
    bridge_max_concurrent_requests: PositiveInt = Field(
        default=512, description="requests answered at once, event streams left out; more are refused"
    )
    bridge_max_concurrent_streams: PositiveInt = Field(
        default=256, description="event streams at once; more are refused"
    )
    bridge_max_header_bytes: PositiveInt = Field(
        default=32 * 1024, ge=4096, description="most bytes of a request's first line and headers"
    )
    bridge_max_body_bytes: PositiveInt = Field(default=1024 * 1024, description="most bytes of a request's body")
    bridge_header_timeout_seconds: PositiveFloat = Field(
        default=20.0, allow_inf_nan=False, description="how long a client may need for the headers of a request"
    )
    bridge_idle_timeout_seconds: PositiveInt = Field(
        default=75, description="how long a connection is kept without a request; longer than a proxy's own patience"
    )
    bridge_client_timeout_seconds: PositiveFloat = Field(
        default=60.0,
        allow_inf_nan=False,
        description="how long a client may need for a body, or take nothing of its answer",
    )
    bridge_heartbeat_seconds: PositiveFloat = Field(
        default=15.0, allow_inf_nan=False, description="longest silence of an event stream"
    )
    bridge_drain_delay_seconds: NonNegativeFloat = Field(
        default=0.0,
        allow_inf_nan=False,
        description="how long after SIGTERM requests are still taken while readiness is denied",
    )

    @pydantic.field_validator("bridge_external_url")
    @classmethod
    def _external_url_is_one(cls, value: str | None) -> str | None:
        if not value:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be a URL like https://backstage.example.com")
        return value.rstrip("/")

    @pydantic.field_validator("bridge_trusted_proxies")
    @classmethod
    def _proxies_are_networks(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            try:
                ipaddress.ip_network(value)
            except ValueError as error:
                raise ValueError(f"must be addresses or networks like 10.0.0.0/8: {error}") from error
        return values
