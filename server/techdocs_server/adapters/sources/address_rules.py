"""Which network addresses a source may be fetched from.

A host on the allow-list may resolve to anything, also to what only this machine
reaches: its cloud's metadata service, its neighbours, itself. So every address a
name resolves to is checked, and the connection is made to the address checked.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence

from techdocs_server.adapters.sources.problems import refused, unavailable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Lookup = Callable[[str, int], Sequence[str]]
"""Returns the addresses of a name and port; blocks; raises `OSError`."""

# Metadata and host services that are reached by addresses outside the ranges made for that.
_MACHINE_SERVICES = frozenset(
    ipaddress.ip_address(address)
    for address in ("168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
)
_SHARED = ipaddress.ip_network("100.64.0.0/10")
_SITE_LOCAL = ipaddress.ip_network("fec0::/10")
# An IPv4 address inside an IPv6 one: translators and tunnels lead to it.
_NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
_COMPATIBLE = ipaddress.ip_network("::/96")


def why_refused(address: str, *, private_allowed: bool) -> str:
    """Say why an address may not be connected to, or return an empty text.

    ``private_allowed`` allows loopback, private and shared ranges. Link-local,
    multicast, unspecified and reserved addresses and machine services stay refused.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        # With a zone, such as fe80::1%eth0: it is of one link.
        return "it is not a plain address"
    for inner in _addresses_in(parsed):
        if why := _never(inner) or ("" if private_allowed else _private(inner)):
            return why
    return ""


def system_addresses(name: str, port: int) -> Sequence[str]:
    """Return the addresses of a name as the system resolves it."""
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def checked_addresses(name: str, port: int, *, private_allowed: bool, lookup: Lookup) -> Sequence[str]:
    """Return the addresses of a host, every one of which may be connected to. Blocks.

    One bad address among good ones refuses the host: which of them a connection
    would take is not for its name server to choose. Raises `BuildStepFailed`.
    """
    try:
        addresses = lookup(name, port)
    except OSError as error:
        raise unavailable(f"the name of the host {name} cannot be resolved", hint="check how it is spelt") from error
    for address in addresses:
        if why := why_refused(address, private_allowed=private_allowed):
            raise refused(
                f"the host {name} has an address that documentation may not be fetched from: {why}",
                hint=f"for a host of your own network the operator sets allow_private_addresses for {name} in source_hosts",
            )
    if not addresses:
        raise unavailable(f"the host {name} has no address")
    return addresses


def _addresses_in(address: Address) -> Sequence[Address]:
    """Return an address and every IPv4 address that a router may take it for."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    inner: list[Address] = [address]
    if address.ipv4_mapped is not None:
        # The mapped form is no range of its own: it is that IPv4 address.
        return [address.ipv4_mapped]
    if address.sixtofour is not None:
        inner.append(address.sixtofour)
    if address.teredo is not None:
        inner += address.teredo
    if any(address in network for network in (*_NAT64, _COMPATIBLE)):
        inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return inner


def _never(address: Address) -> str:
    if address.is_unspecified:
        return "it is unspecified"
    if address.is_multicast:
        return "it is a multicast address"
    if address.is_link_local or address in _SITE_LOCAL:
        return "it is link-local"
    if address in _MACHINE_SERVICES:
        return "it is a service of the machine's cloud"
    if isinstance(address, ipaddress.IPv4Address) and address.is_reserved:
        return "it is reserved"
    return ""


def _private(address: Address) -> str:
    if address.is_loopback:
        return "it is this machine"
    if address.is_private or address in _SHARED or not address.is_global:
        return "it is private"
    return ""
