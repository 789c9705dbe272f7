"""Ports that nobody uses."""

from __future__ import annotations

import socket


def free_port() -> int:
    """Return a loopback port that was free a moment ago, for programs that cannot choose one themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
