"""The gRPC server: services, health, reflection, limits, and a stop that loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from techdocs.v1 import (
    admin_pb2,
    admin_pb2_grpc,
    auth_pb2,
    auth_pb2_grpc,
    builds_pb2,
    builds_pb2_grpc,
    capabilities_pb2,
    capabilities_pb2_grpc,
    docs_pb2,
    docs_pb2_grpc,
    publish_pb2,
    publish_pb2_grpc,
    sites_pb2,
    sites_pb2_grpc,
)

from techdocs_server.ports.authentication import Authenticator
from techdocs_server.rpc.access_rules import access_rules
from techdocs_server.rpc.interceptors.admission import AdmissionInterceptor
from techdocs_server.rpc.interceptors.authentication import AuthenticationInterceptor
from techdocs_server.rpc.interceptors.authorization import AuthorizationInterceptor
from techdocs_server.rpc.interceptors.deadlines import DeadlineInterceptor
from techdocs_server.rpc.interceptors.errors import ErrorInterceptor
from techdocs_server.rpc.interceptors.identity import IdentityInterceptor
from techdocs_server.rpc.interceptors.parsing import ParsingInterceptor
from techdocs_server.rpc.interceptors.validation import ValidationInterceptor
from techdocs_server.rpc.reflection import add_reflection
from techdocs_server.services.authorizing import CatalogPolicy

# 256 KiB chunks and a little around them go out and come in; a part of a manifest may be larger.
MAX_UNARY_BYTES = 2 * 1024 * 1024
MAX_CHUNK_BYTES = 256 * 1024
_LEAVING_SECONDS = 0.5
_LAST_CALLS_SECONDS = 0.5
_MAX_RECEIVE_BYTES = 4 * 1024 * 1024
_SERVICES: tuple[ServiceDescriptor, ...] = tuple(
    service
    for module in (docs_pb2, builds_pb2, publish_pb2, sites_pb2, admin_pb2, capabilities_pb2, auth_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
)

OPTIONS: tuple[tuple[str, int], ...] = (
    # Two servers on one port would share its connections at random; the second must fail to start.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", _MAX_RECEIVE_BYTES),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.absolute_max_metadata_size", 32 * 1024),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # Clients may ping as often as our own bridge does, with room for the clock.
    ("grpc.http2.min_ping_interval_without_data_ms", 30_000),
    # Clients reconnect now and then, so that a new replica gets its share.
    ("grpc.max_connection_age_ms", 30 * 60_000),
    ("grpc.max_connection_age_grace_ms", 60 * 60_000),
)


@dataclass(frozen=True, slots=True)
class Servicers:
    """The servicers to serve."""

    docs: docs_pb2_grpc.DocsServiceServicer
    builds: builds_pb2_grpc.BuildServiceServicer
    publish: publish_pb2_grpc.PublishServiceServicer
    sites: sites_pb2_grpc.SiteServiceServicer
    admin: admin_pb2_grpc.AdminServiceServicer
    capabilities: capabilities_pb2_grpc.CapabilitiesServiceServicer
    auth: auth_pb2_grpc.AuthServiceServicer


@dataclass(frozen=True, slots=True)
class AccessControl:
    """Who is let in, and to what.

    No authenticator: everybody is, to everything. No policy: whoever is known sees every site.
    """

    authenticator: Authenticator | None
    policy: CatalogPolicy | None


@dataclass(frozen=True, slots=True)
class TLS:
    """PEM certificate chain and private key."""

    certificate: bytes
    key: bytes


class TechDocsServer:
    """One listening gRPC server."""

    def __init__(
        self,
        servicers: Servicers,
        *,
        listen: str,
        max_concurrent_calls: int,
        reflection: bool,
        access: AccessControl,
        tls: TLS | None = None,
    ) -> None:
        self._listen = listen
        self._tls = tls
        self._admission = AdmissionInterceptor(max_concurrent_calls=max_concurrent_calls)
        self._server = grpc.aio.server(
            interceptors=_interceptors(self._admission, access),
            options=OPTIONS,
        )
        self._health = health.aio.HealthServicer()
        docs_pb2_grpc.add_DocsServiceServicer_to_server(servicers.docs, self._server)
        builds_pb2_grpc.add_BuildServiceServicer_to_server(servicers.builds, self._server)
        publish_pb2_grpc.add_PublishServiceServicer_to_server(servicers.publish, self._server)
        sites_pb2_grpc.add_SiteServiceServicer_to_server(servicers.sites, self._server)
        admin_pb2_grpc.add_AdminServiceServicer_to_server(servicers.admin, self._server)
        capabilities_pb2_grpc.add_CapabilitiesServiceServicer_to_server(servicers.capabilities, self._server)
        auth_pb2_grpc.add_AuthServiceServicer_to_server(servicers.auth, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if reflection:
            names = [service.full_name for service in _SERVICES]
            add_reflection(self._server, [*names, health.SERVICE_NAME])

    async def start(self) -> int:
        """Listen, report healthy, and return the port. Raises `OSError` when the address cannot be had."""
        try:
            port = self._bind()
        except RuntimeError as error:
            raise OSError(
                f"cannot listen on {self._listen} for gRPC: another process uses the port, or the address is not "
                "one of this machine; set server_listen"
            ) from error
        await self._server.start()
        for name in ("", *(service.full_name for service in _SERVICES)):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return port

    def _bind(self) -> int:
        if self._tls is None:
            return self._server.add_insecure_port(self._listen)
        credentials = grpc.ssl_server_credentials([(self._tls.key, self._tls.certificate)])
        return self._server.add_secure_port(self._listen, credentials)

    async def stop(self, *, grace_seconds: float, end_streams: Callable[[], None]) -> None:
        """Drain: report unhealthy, refuse new calls, end waiting streams with a word, wait for the rest.

        Calls still running after the grace are cancelled. May be called twice.
        """
        await self._health.enter_graceful_shutdown()
        # Clients that watch the health of several servers go to the others before anything is refused here.
        await asyncio.sleep(min(_LEAVING_SECONDS, grace_seconds / 4))
        self._admission.drain()
        end_streams()
        # While the listener is still open, whoever calls is told to come back; once it closes, calls that are on
        # their way are only cancelled.
        await asyncio.sleep(min(_LAST_CALLS_SECONDS, grace_seconds))
        await self._server.stop(grace_seconds)

    async def wait(self) -> None:
        """Wait until the server has stopped."""
        await self._server.wait_for_termination()


def _interceptors(admission: AdmissionInterceptor, access: AccessControl) -> Sequence[grpc.aio.ServerInterceptor]:
    """Return the interceptors, the outermost first. Raises `RuleInvalid`."""
    rules = access_rules(_SERVICES)
    interceptors: list[grpc.aio.ServerInterceptor] = [
        IdentityInterceptor(),
        ErrorInterceptor(),
        admission,
        # Around the authentication, which may have to fetch keys.
        DeadlineInterceptor(),
        AuthenticationInterceptor(rules, access.authenticator),
        ParsingInterceptor(),
        ValidationInterceptor(),
    ]
    if access.policy is not None:
        interceptors.append(AuthorizationInterceptor(rules, access.policy))
    return interceptors
