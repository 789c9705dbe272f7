"""Permissions by name."""

import pytest
from techdocs_server.domain.grants import Grant, Grants
from techdocs_server.domain.principal import Permission

PUBLISH = frozenset({Permission.PUBLISH})


@pytest.mark.parametrize(
    ("pattern", "subject", "fits"),
    [
        ("external:ci", "external:ci", True),
        ("external:ci", "external:ci2", False),
        ("external:ci", "xexternal:ci", False),
        ("external:*", "external:github:repo:a/b", True),
        ("external:*", "user:external:x", False),
        ("user:*/alice", "user:default/alice", True),
        ("user:*/alice", "user:default/alice2", False),
        ("user:default/a.ice", "user:default/alice", False),
        ("user:default/[a]*", "user:default/alice", False),
        ("*", "plugin:search", True),
        ("user:default/Alice", "user:default/alice", False),
        ("external:ci", "external:ci\n", False),
    ],
)
def test_star_is_any_text_and_everything_else_itself(pattern: str, subject: str, fits: bool) -> None:
    assert Grant(pattern, PUBLISH).fits(subject) is fits


def test_permissions_of_all_grants_that_fit_are_had() -> None:
    grants = Grants([Grant("external:*", PUBLISH), Grant("external:reader", frozenset({Permission.READ}))])
    assert grants.permissions_of("external:reader") == {Permission.PUBLISH, Permission.READ}
    assert grants.permissions_of("user:default/alice") == frozenset()
    assert grants.permissions_of("user:default/alice", Permission.SYNC) == {Permission.SYNC}


def test_who_administers_may_do_everything() -> None:
    grants = Grants([Grant("user:default/root", frozenset({Permission.ADMIN}))])
    assert grants.permissions_of("user:default/root") == frozenset(Permission)
    assert grants.permissions_of("external:root", Permission.ADMIN) == frozenset(Permission)
