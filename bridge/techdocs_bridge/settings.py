"""What a bridge is told at start. Plain values: whoever starts one reads files and the environment."""

from __future__ import annotations

from dataclasses import dataclass

_KIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeSettings:
    """Settings of one bridge. Every one but the target has a default that fits a single machine.

    Raises:
        ValueError: a value that no bridge could run with.
    """

    server_target: str
    """gRPC target of the TechDocs server, for example ``127.0.0.1:7070`` or ``dns:///techdocs:7070``."""

    mount: str = "/api/techdocs"
    """Path the API lives under: empty, or beginning with a slash and not ending in one."""

    server_ca: bytes | None = None
    """PEM certificates the server's own is checked against; None means a connection without TLS."""

    external_url: str = ""
    """What browsers have in their address bar, for example ``https://backstage.example.com``; empty when unknown."""

    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may read answers, with credentials; see `cross_origin`."""

    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks whose ``X-Forwarded-*`` headers are believed; see `forwarded`."""

    version: str = "0.0.0"
    """Version shown in the OpenAPI document."""

    default_deadline_seconds: float = 60
    """For a call that answers with one message."""

    sync_deadline_seconds: float = 900
    """For the call that waits for a whole build: a build's own limit and half of it again for its turn."""

    stream_deadline_seconds: float = 3600
    """For a stream, a download by a slow reader included. Event streams resume after it."""

    client_timeout_seconds: float = 60
    """How long a client may take nothing of its answer, or need for its whole body, before it is given up."""

    header_timeout_seconds: float = 20
    """For the head of a request: from its first byte, or from the begin of its connection."""

    idle_timeout_seconds: int = 75
    """How long a connection is kept without a request. Proxies commonly drop one after a minute: the side that reuses a
    connection should be the one to close it."""

    drain_delay_seconds: float = 0
    """How long requests are still taken when the bridge was told to stop, while readiness is denied."""

    heartbeat_seconds: float = 15
    """Longest silence of an event stream. Proxies commonly take one of 60 s for dead."""

    max_body_bytes: int = 1024 * _KIB
    """Largest request body. No request of the API comes near: the longest field has 4 KiB."""

    max_header_bytes: int = 32 * _KIB
    """Largest head of a request. A token has 6 KiB at most; the rest is for the cookies of a shared host."""

    max_connections: int = 4096
    """Open connections at once. An idle one costs some KiB."""

    max_concurrent_requests: int = 512
    """Requests at once, event streams left out. One holds at most two chunks of 1 MiB."""

    max_concurrent_streams: int = 256
    """Event streams at once. They are bounded apart, so that they never starve readers."""

    def __post_init__(self) -> None:
        if self.mount and (not self.mount.startswith("/") or self.mount.startswith("//") or self.mount.endswith("/")):
            raise ValueError(f"mount must be empty or like /api/techdocs, without a slash at its end: {self.mount!r}")
        if not self.mount.isascii() or not self.mount.isprintable() or any(c in self.mount for c in " %?#;,"):
            raise ValueError(f"mount must be plain ASCII without spaces and without any of %?#;, : {self.mount!r}")
        if not self.server_target:
            raise ValueError("server_target must name the TechDocs server")
