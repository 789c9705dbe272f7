"""Which addresses a source may be fetched from."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from techdocs_server.adapters.sources.address_rules import checked_addresses, system_addresses, why_refused
from techdocs_server.domain.errors import BuildFailureReason, BuildStepFailed


@pytest.mark.parametrize(
    "address",
    [
        "93.184.216.34",
        "8.8.8.8",
        "100.63.255.255",
        "100.128.0.1",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
    ],
)
def test_public_address_is_allowed(address: str) -> None:
    assert why_refused(address, private_allowed=False) == ""


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "198.18.0.1",
        "0.1.2.3",
        "::1",
        "fd00::1",
        "fc00::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "64:ff9b::7f00:1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::192.168.0.1",
        "::10.0.0.1",
    ],
)
def test_private_address_is_allowed_only_where_the_operator_says_so(address: str) -> None:
    assert why_refused(address, private_allowed=False)
    assert why_refused(address, private_allowed=True) == ""


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104 - an address to refuse
        "::",
        "169.254.169.254",
        "169.254.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "2002:a9fe:a9fe::",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
        "240.0.0.1",
        "168.63.129.16",
        "100.100.100.200",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd20:ce::254",
        "not an address",
        "",
    ],
)
def test_address_of_a_link_a_group_or_a_machines_service_is_never_allowed(address: str) -> None:
    assert why_refused(address, private_allowed=False)
    assert why_refused(address, private_allowed=True)


def test_one_bad_address_refuses_the_host() -> None:
    with pytest.raises(BuildStepFailed) as caught:
        checked_addresses("docs.example", 443, private_allowed=False, lookup=lambda name, port: ["8.8.8.8", "10.0.0.1"])
    assert caught.value.reason is BuildFailureReason.SOURCE_REFUSED
    assert caught.value.problem.endswith("it is private")
    assert "10.0.0.1" not in caught.value.problem
    found = checked_addresses("x", 443, private_allowed=True, lookup=lambda name, port: ["8.8.8.8", "10.0.0.1"])
    assert found == ["8.8.8.8", "10.0.0.1"]


def test_name_that_cannot_be_resolved_is_unavailable() -> None:
    def fail(name: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    def find_nothing(name: str, port: int) -> Sequence[str]:
        return []

    for lookup in (fail, find_nothing):
        with pytest.raises(BuildStepFailed) as caught:
            checked_addresses("docs.example", 443, private_allowed=False, lookup=lookup)
        assert caught.value.reason is BuildFailureReason.SOURCE_UNAVAILABLE


@pytest.mark.parametrize("name", ["127.0.0.1", "2130706433", "0x7f.1", "localhost"])
def test_every_way_to_write_this_machine_resolves_to_an_address_that_is_refused(name: str) -> None:
    for address in system_addresses(name, 80):
        assert why_refused(address, private_allowed=False) == "it is this machine"
