"""What a process has on this machine: its data directory, its keys, its name."""

from __future__ import annotations

import fcntl
import os
import socket
import ssl
from contextlib import AsyncExitStack
from pathlib import Path

from techdocs_server.rpc.server import TLS
from techdocs_server.settings import Settings
from techdocs_server.start_failed import StartFailed


def own_data_directory(folder: Path, resources: AsyncExitStack) -> Path:
    """Make the data directory and lock it for this process, until the resources close. Raises `StartFailed`."""
    folder = folder.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StartFailed(f"data_directory: {folder} cannot be used: {error.strerror}") from error
    resources.callback(os.close, lock)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise StartFailed(
            f"data_directory: another techdocs process uses {folder}; stop it, or set another data_directory"
        ) from error
    return folder


def read_tls(settings: Settings) -> TLS | None:
    """Return the keys of the gRPC server, None when it has none. Raises `StartFailed`."""
    if settings.server_tls_certificate is None or settings.server_tls_key is None:
        return None
    certificate, key = settings.server_tls_certificate, settings.server_tls_key
    try:
        tls = TLS(certificate.read_bytes(), key.read_bytes())
        # Checked here, because gRPC says of a bad file only that it cannot listen.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        raise StartFailed(
            f"server_tls_certificate, server_tls_key: {certificate} and {key} are not a PEM certificate chain and the "
            "unencrypted private key that belongs to it"
        ) from error
    except OSError as error:
        raise StartFailed(f"server_tls_certificate, server_tls_key: {error.filename}: {error.strerror}") from error
    return tls


def _no_password() -> str:
    raise ValueError("the key is encrypted")


def process_name() -> str:
    """Return a name for people that no other process of the service has now."""
    return f"{socket.gethostname()}-{os.getpid()}"
