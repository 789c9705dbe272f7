from __future__ import annotations

from techdocs_server.sandbox.isolation.level import REQUIRED, Guarantee, IsolationLevel
from techdocs_server.sandbox.isolation.plan import ALL_LAYERS, Layer


def test_level_names_its_layers() -> None:
    assert IsolationLevel(ALL_LAYERS).text == "landlock+seccomp+rlimits+bubblewrap"
    assert IsolationLevel(frozenset({Layer.SECCOMP})).text == "seccomp"
    assert IsolationLevel(frozenset()).text == "none"


def test_level_says_what_does_not_hold() -> None:
    level = IsolationLevel(
        frozenset({Layer.SECCOMP}), {Guarantee.LIMITS: ("take more memory",), Guarantee.SECRETS: ("read a file",)}
    )
    assert level.text == "seccomp (does not hold: no secrets, limits)"
    assert level.missing == {Guarantee.LIMITS, Guarantee.SECRETS}


def test_source_that_is_writable_is_told_but_not_missing() -> None:
    level = IsolationLevel(frozenset(), {Guarantee.SOURCE: ("write to the source",)})
    assert level.missing == frozenset()
    assert "read-only source" in level.text
    assert frozenset(Guarantee) - {Guarantee.SOURCE} == REQUIRED
