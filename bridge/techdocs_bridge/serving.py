"""Runs the bridge on a socket, inside a loop that somebody else owns.

uvicorn parses HTTP with httptools. The loop is the caller's, uvloop where the caller chose it, and so are signals.
"""

from __future__ import annotations

import asyncio
import logging
import math
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette

from techdocs_bridge.app import create_app
from techdocs_bridge.connection import ConnectionLimits, bounded
from techdocs_bridge.exchange import ResponseAborted
from techdocs_bridge.settings import BridgeSettings

_BACKLOG = 2048
_LAST_MOMENT_SECONDS = 1.0


async def serve_bridge(
    settings: BridgeSettings,
    listen: tuple[str, int],
    *,
    ready: Callable[[str], None],
    stop: asyncio.Event,
    drain_seconds: float,
) -> None:
    """Serve until ``stop`` is set, then stop taking connections and finish what is in flight.

    ``listen`` is a host and a port; port 0 takes a free one. ``ready`` is called with the real URL once connections are
    taken. After ``stop``, readiness is denied; ``drain_delay_seconds`` of the settings later no connection is taken any
    more, event streams end with an error that says so, and other requests have ``drain_seconds``, rounded up to whole
    ones; what is not done by then is cancelled. When this returns or raises, the port is free and no task is left.

    Raises:
        OSError: the address cannot be listened on; the message names it.
        RuntimeError: the application did not start.
    """
    listener = _listener(*listen)
    leaving, draining = asyncio.Event(), asyncio.Event()
    app = create_app(settings, leaving=leaving, draining=draining)
    server = _EmbeddedServer(_config(settings, app, drain_seconds), lambda: ready(_url(listener)))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        leaving.set()
        await asyncio.wait({serving}, timeout=settings.drain_delay_seconds)
    except asyncio.CancelledError:
        server.config.timeout_graceful_shutdown = 0
        raise
    finally:
        stopping.cancel()
        leaving.set()
        draining.set()
        server.should_exit = True
        try:
            await serving
            await server.finish_cancelled()
        finally:
            listener.close()


class _EmbeddedServer(uvicorn.Server):
    """A server that leaves signals alone and says when it listens."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._listening = listening

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install nothing: the process may run more than the bridge."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        try:
            await super().startup(sockets)
        except SystemExit:
            # The process is not uvicorn's to end.
            raise RuntimeError("the bridge could not start; its log says why") from None
        self._listening()

    async def finish_cancelled(self) -> None:
        """Let requests that were cancelled come to their end."""
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=_LAST_MOMENT_SECONDS)


def _config(settings: BridgeSettings, app: Starlette, drain_seconds: float) -> uvicorn.Config:
    limits = ConnectionLimits(
        max_connections=settings.max_connections,
        max_head_bytes=settings.max_header_bytes,
        head_seconds=settings.header_timeout_seconds,
        unread_seconds=settings.client_timeout_seconds,
    )
    logging.getLogger("uvicorn.error").addFilter(_without_aborted)
    return uvicorn.Config(
        app,
        http=bounded(limits),
        ws="none",
        lifespan="on",
        # Logging is set up by the caller, and requests have their own log line.
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        workers=1,
        backlog=_BACKLOG,
        timeout_keep_alive=settings.idle_timeout_seconds,
        timeout_graceful_shutdown=math.ceil(drain_seconds),
    )


def _without_aborted(record: logging.LogRecord) -> bool:
    """Drop the traceback of an answer that was broken off on purpose: it has its own log line."""
    return not (record.exc_info and isinstance(record.exc_info[1], ResponseAborted))


def _listener(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )
        return _bound(*found[0])
    except OSError as error:
        raise OSError(
            f"the bridge cannot listen on {host}:{port}: {error.strerror or error}; set bridge_listen"
        ) from error


def _bound(
    family: int,
    kind: int,
    protocol: int,
    _: str,
    address: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes],
) -> socket.socket:
    """Bind a socket whose protocol is named.

    asyncio switches Nagle's algorithm off on such ones only; with it, an answer waits 40 ms between head and body.
    """
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
