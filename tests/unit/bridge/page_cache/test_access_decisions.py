"""What was decided about one caller is used for that caller, for what it was decided about, and not too long."""

from __future__ import annotations

from techdocs_bridge.page_cache.access_decisions import AccessDecisions, Part

ALICE, BOB, NOBODY = b"Bearer alice", b"Bearer bob", b""
SITE = "default/component/a"


class Clock:
    """Time that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def decided(credential: bytes, *, anyone: bool = False) -> tuple[AccessDecisions, Clock]:
    clock = Clock()
    decisions = AccessDecisions(max_decisions=3, clock=clock)
    decisions.learn(credential, SITE, Part.CONTENT, until=clock.now + 60, anyone=anyone)
    return decisions, clock


def test_decision_is_for_its_caller_only() -> None:
    decisions, _ = decided(ALICE)
    assert decisions.allows(ALICE, SITE, Part.CONTENT)
    assert not decisions.allows(BOB, SITE, Part.CONTENT)
    assert not decisions.allows(NOBODY, SITE, Part.CONTENT)


def test_decision_is_for_its_site_only() -> None:
    decisions, _ = decided(ALICE)
    assert not decisions.allows(ALICE, "default/component/b", Part.CONTENT)


def test_decision_about_content_is_none_about_metadata() -> None:
    decisions, _ = decided(ALICE)
    assert not decisions.allows(ALICE, SITE, Part.METADATA)


def test_decision_ends_in_time() -> None:
    decisions, clock = decided(ALICE)
    clock.now += 59.9
    assert decisions.allows(ALICE, SITE, Part.CONTENT)
    clock.now += 0.1
    assert not decisions.allows(ALICE, SITE, Part.CONTENT)


def test_decision_for_everybody_is_for_callers_with_and_without_credentials() -> None:
    decisions, _ = decided(NOBODY, anyone=True)
    assert decisions.allows(NOBODY, SITE, Part.CONTENT)
    assert decisions.allows(BOB, SITE, Part.CONTENT)


def test_refused_caller_is_forgotten() -> None:
    decisions, _ = decided(ALICE)
    decisions.forget(ALICE, SITE, Part.CONTENT)
    assert not decisions.allows(ALICE, SITE, Part.CONTENT)


def test_decisions_are_bounded() -> None:
    decisions, clock = decided(ALICE)
    for number in range(100):
        decisions.learn(b"%d" % number, SITE, Part.CONTENT, until=clock.now + 60, anyone=False)
    assert len(decisions) == 3


def test_what_has_ended_already_is_not_kept() -> None:
    decisions, clock = decided(ALICE)
    decisions.learn(BOB, SITE, Part.CONTENT, until=clock.now, anyone=False)
    assert len(decisions) == 1
