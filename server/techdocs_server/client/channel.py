"""Getting at a server from the command line: where it is, whom to trust, who asks, and for how long.

A command takes `server_options`, opens a channel with `open_channel`, and makes its
calls inside `report_errors`::

    @click.command()
    @server_options
    def site(options: ClientOptions) -> None:
        with report_errors(), open_channel(options) as channel:
            ...
"""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TypeVar

import click
import grpc

from techdocs_server.client.bearer_token import BearerToken
from techdocs_server.client.failures import ClientFailed, ExitStatus, failure_of

TOKEN_VARIABLE = "TECHDOCS_TOKEN"  # noqa: S105 - the name of a variable
_MIB = 1024 * 1024
_OPTIONS: tuple[tuple[str, int], ...] = (
    # The largest answers are those of listings and of a whole site's digests.
    ("grpc.max_receive_message_length", 64 * _MIB),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.absolute_max_metadata_size", 32 * 1024),
    # Finds a dead connection during a long upload. The server permits a ping every 30 s.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # A server that restarts is back within a second or two; gRPC's own pause grows to 120 s.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """Where the server is and how to talk to it.

    ``server`` is host:port. ``ca`` is a file of PEM certificates to trust, which turns
    TLS on; ``tls`` turns it on with the certificates that gRPC brings. ``timeout_seconds``
    bounds the whole command, repeated calls included.
    """

    server: str = "127.0.0.1:7070"
    ca: Path | None = None
    tls: bool = False
    token_file: Path | None = None
    insecure_token: bool = False
    timeout_seconds: float = 600.0

    @property
    def is_encrypted(self) -> bool:
        """Whether the channel has TLS."""
        return self.tls or self.ca is not None

    @property
    def is_loopback(self) -> bool:
        """Whether the server is on this machine, whatever name resolution says."""
        host = self.server.rpartition(":")[0].removeprefix("[").removesuffix("]")
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


def server_options(command: Callable[..., T]) -> Callable[..., T]:
    """Give a click command the options of the server; it takes them as the keyword ``options``."""

    @click.option(
        "--server",
        default="127.0.0.1:7070",
        show_default=True,
        metavar="HOST:PORT",
        callback=_target,
        help="gRPC server.",
    )
    @click.option("--ca", type=click.Path(path_type=Path), help="PEM certificates to trust; turns TLS on.")
    @click.option("--tls", is_flag=True, help="Use TLS with the usual public certificates.")
    @click.option(
        "--token-file", type=click.Path(path_type=Path), help=f"File with a bearer token, instead of {TOKEN_VARIABLE}."
    )
    @click.option("--insecure-token", is_flag=True, help="Send a token without TLS beyond this machine.")
    @click.option(
        "--timeout",
        "timeout_seconds",
        type=click.FloatRange(min=0, min_open=True),
        default=600.0,
        show_default=True,
        metavar="SECONDS",
        help="How long the command may take, repeated calls included.",
    )
    @wraps(command)
    def taking_options(
        *args: object,
        server: str,
        ca: Path | None,
        tls: bool,
        token_file: Path | None,
        insecure_token: bool,
        timeout_seconds: float,
        **kwargs: object,
    ) -> T:
        options = ClientOptions(server, ca, tls, token_file, insecure_token, timeout_seconds)
        return command(*args, options=options, **kwargs)

    return taking_options


def open_channel(options: ClientOptions) -> grpc.Channel:
    """Return a channel to the server, which connects with its first call. Close it, or use it as a context.

    Every call carries the token, if there is one. Raises `ClientFailed` when the
    token or the certificates cannot be read, and when a token would go over the
    network unencrypted.
    """
    token = _token(options)
    if token and not (options.is_encrypted or options.is_loopback or options.insecure_token):
        raise ClientFailed(
            f"the token would be readable on its way to {options.server}: use --ca or --tls, or accept that "
            "with --insecure-token",
            ExitStatus.CONFIGURATION,
        )
    channel = _connect(options)
    return grpc.intercept_channel(channel, BearerToken(token)) if token else channel


@contextmanager
def report_errors() -> Iterator[None]:
    """End the command with one line on stderr and its exit status when a call or the client itself fails."""
    try:
        yield
    except grpc.RpcError as error:
        failure = failure_of(error)
        _end(failure.line, failure.status)
    except ClientFailed as failed:
        _end(failed.message, failed.status)


def _end(line: str, status: ExitStatus) -> None:
    click.echo(f"techdocs: {line}", err=True)
    sys.exit(status)


def _connect(options: ClientOptions) -> grpc.Channel:
    # What is said to be on this machine must not go to a proxy.
    more = (*_OPTIONS, ("grpc.enable_http_proxy", 0)) if options.is_loopback else _OPTIONS
    if not options.is_encrypted:
        return grpc.insecure_channel(options.server, more)
    roots = None if options.ca is None else _read(options.ca, "--ca")
    return grpc.secure_channel(options.server, grpc.ssl_channel_credentials(roots), more)


def _token(options: ClientOptions) -> str:
    if options.token_file is None:
        token, source = os.environ.get(TOKEN_VARIABLE, "").strip(), TOKEN_VARIABLE
    else:
        token, source = _read(options.token_file, "--token-file").decode("utf-8", "replace").strip(), "--token-file"
        if not token:
            raise ClientFailed(f"{source}: {options.token_file} is empty", ExitStatus.CONFIGURATION)
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ClientFailed(f"{source}: it must hold one token of printable ASCII", ExitStatus.CONFIGURATION)
    return token


def _read(path: Path, option: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ClientFailed(f"{option}: {path}: {error.strerror}", ExitStatus.CONFIGURATION) from error


def _target(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise click.BadParameter("must be host:port, for example techdocs.example.com:7070")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise click.BadParameter("an IPv6 address must be in brackets, for example [::1]:7070")
    return value
