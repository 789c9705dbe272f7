"""What proxies in front say of a request: who asked, by which scheme, for which host, below which path.

Only proxies that the settings name are believed, and of a list of addresses only the part that such proxies wrote: from
the right, up to the first address that is none of theirs, which is the client's. Everything left of it was sent by
the client and may be anything. The other headers are lists too when proxies add to them; the entry that counts is the
one the outermost trusted proxy wrote.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from starlette.datastructures import Headers

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?")
# Unreserved characters of RFC 3986 and slashes; nothing that a header or a policy could be broken with.
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")
_MAX_HOPS = 32


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request comes from and what its client asked for, as far as it can be believed."""

    peer: str
    """Address of the client; empty when the connection has none."""
    scheme: str
    """``http`` or ``https``."""
    host: str
    """Host and perhaps port that the client used; as the Host header has it, so it may be anything."""
    prefix: str
    """Path that a proxy took off the front, like ``/backstage``; empty for none."""


class Proxies:
    """The proxies that are believed."""

    def __init__(self, networks: Sequence[str]) -> None:
        """Take addresses and networks in CIDR form. Raises `ValueError` for what is neither."""
        self._networks: tuple[Network, ...] = tuple(ipaddress.ip_network(text) for text in networks)

    def origin(self, peer: str, scheme: str, headers: Headers) -> Origin:
        """Return the origin of a request that came over a connection from ``peer``."""
        host = headers.get("host", "")
        if not self._trusts(peer):
            return Origin(peer, scheme, host, "")
        client, hops = self._client(peer, _listed(headers, "x-forwarded-for"))
        told_scheme = _nth(_listed(headers, "x-forwarded-proto"), hops).lower()
        told_host = _nth(_listed(headers, "x-forwarded-host"), hops)
        told_prefix = _nth(_listed(headers, "x-forwarded-prefix"), hops).rstrip("/")
        return Origin(
            client,
            told_scheme if told_scheme in ("http", "https") else scheme,
            told_host if _HOST.fullmatch(told_host) else host,
            told_prefix if _PREFIX.fullmatch(told_prefix) and ".." not in told_prefix else "",
        )

    def _client(self, peer: str, listed: Sequence[str]) -> tuple[str, int]:
        """Return the client's address, and how many trusted proxies the request came through."""
        client, hops = peer, 1
        for text in reversed(listed[-_MAX_HOPS:]):
            address = _address(text)
            if address is None:
                break
            client = str(address)
            if not self._trusts(client):
                break
            hops += 1
        return client, hops

    def _trusts(self, text: str) -> bool:
        address = _address(text) if self._networks else None
        return address is not None and any(address in network for network in self._networks)


def _listed(headers: Headers, name: str) -> list[str]:
    # Spaces and tabs only: to Python, latin-1 has more white space than HTTP does (RFC 9110, section 5.6.3).
    return [part.strip(" \t") for value in headers.getlist(name) for part in value.split(",")]


def _nth(values: Sequence[str], hops: int) -> str:
    """Return what the proxy wrote that is ``hops`` connections away, or the farthest there is."""
    return values[-min(hops, len(values))] if values else ""


def _address(text: str) -> _Address | None:
    """Return an address written plainly, with a port, or as an IPv4 one inside IPv6."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
