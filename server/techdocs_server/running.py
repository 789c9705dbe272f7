"""Running a role until it is told to stop."""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from pydantic import SecretStr
from techdocs_bridge.serving import serve_bridge
from techdocs_bridge.settings import BridgeSettings

from techdocs_server.bootstrap import Parts, TechDocsService
from techdocs_server.capabilities import service_version
from techdocs_server.settings import ListenAddress, Settings
from techdocs_server.start_failed import StartFailed

Say = Callable[[str], None]


async def run_server(settings: Settings, *, say: Say) -> None:
    """Run the gRPC server until SIGTERM or SIGINT. Raises `StartFailed`.

    Over stores of its own it runs builds too.
    """
    stop = _stop_signal()
    async with _service(settings, Parts(serves=True, builds=False)) as port:
        say(f"techdocs server: gRPC on {_reach(settings.server_listen, port)}")
        await stop.wait()
        say("techdocs server: stopping")


async def run_worker(settings: Settings, *, say: Say) -> None:
    """Run builds until SIGTERM or SIGINT. Raises `StartFailed`."""
    stop = _stop_signal()
    async with _service(settings, Parts(serves=False, builds=True)):
        say(f"techdocs worker: runs {settings.build_concurrency} builds at a time")
        await stop.wait()
        say("techdocs worker: stopping")


async def run_bridge(settings: Settings, *, say: Say) -> None:
    """Run the REST bridge until SIGTERM or SIGINT. Raises `StartFailed`."""
    await _bridge(settings, settings.bridge_server_target, _stop_signal(), say=say)


async def run_everything(settings: Settings, *, say: Say) -> None:
    """Run server, builder and bridge in this process until SIGTERM or SIGINT. Raises `StartFailed`.

    The bridge stops first: its readers get their answers from a server that still works.
    """
    settings = _with_bridge_token(settings)
    stop = _stop_signal()
    async with _service(settings, Parts(serves=True, builds=True)) as port:
        say(f"techdocs serve: gRPC on {_reach(settings.server_listen, port)}")
        say(f"  try: grpcurl -plaintext {_reach(settings.server_listen, port)} list")
        await _bridge(settings, _reach(settings.server_listen, port), stop, say=say)
        say("techdocs serve: stopping")


@asynccontextmanager
async def _service(settings: Settings, parts: Parts) -> AsyncIterator[int]:
    service = TechDocsService(settings, parts)
    port = await service.start()
    try:
        yield port
    finally:
        await service.stop()


async def _bridge(settings: Settings, target: str, stop: asyncio.Event, *, say: Say) -> None:
    bridge = BridgeSettings(
        server_target=target,
        server_ca=_read_ca(settings),
        mount=settings.bridge_mount,
        version=service_version(),
        sync_deadline_seconds=settings.build_timeout_seconds * 1.5,
        external_url=settings.bridge_external_url or "",
        cors_origins=settings.bridge_cors_origins,
        trusted_proxies=settings.bridge_trusted_proxies,
        max_connections=settings.bridge_max_connections,
        max_concurrent_requests=settings.bridge_max_concurrent_requests,
        max_concurrent_streams=settings.bridge_max_concurrent_streams,
        max_header_bytes=settings.bridge_max_header_bytes,
        max_body_bytes=settings.bridge_max_body_bytes,
        header_timeout_seconds=settings.bridge_header_timeout_seconds,
        idle_timeout_seconds=settings.bridge_idle_timeout_seconds,
        client_timeout_seconds=settings.bridge_client_timeout_seconds,
        heartbeat_seconds=settings.bridge_heartbeat_seconds,
        drain_delay_seconds=settings.bridge_drain_delay_seconds,
        cache_bytes=settings.bridge_cache_bytes,
        token=settings.bridge_token.get_secret_value() if settings.bridge_token else "",
    )

    def ready(url: str) -> None:
        say(f"techdocs bridge: REST on {url}, and below {url}{settings.bridge_mount}")
        say(f"  try: curl {url}/openapi.json")

    try:
        await serve_bridge(
            bridge,
            (settings.bridge_listen.host, settings.bridge_listen.port),
            ready=ready,
            stop=stop,
            drain_seconds=settings.server_drain_seconds,
        )
    except OSError as error:
        raise StartFailed(f"bridge_listen: {error}") from error


def _with_bridge_token(settings: Settings) -> Settings:
    """Return settings with a token for the bridge, which nobody but this process knows unless it was set."""
    if settings.authentication == "none" or settings.bridge_token is not None:
        return settings
    return settings.model_copy(update={"bridge_token": SecretStr(secrets.token_urlsafe(32))})


def _read_ca(settings: Settings) -> bytes | None:
    if settings.bridge_server_ca is None:
        return None
    try:
        return settings.bridge_server_ca.read_bytes()
    except OSError as error:
        raise StartFailed(f"bridge_server_ca: {error.filename}: {error.strerror}") from error


def _reach(listen: ListenAddress, port: int) -> str:
    """Return the address for a client on this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)  # noqa: S104 - read, not bound
    return str(ListenAddress(host, port))


def _stop_signal() -> asyncio.Event:
    """Return an event that the first SIGTERM or SIGINT sets. The second one ends the process as usual."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def handle(number: signal.Signals) -> None:
        stop.set()
        loop.remove_signal_handler(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, handle, number)
    return stop
