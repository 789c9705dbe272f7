"""What was verified is remembered until it ends, within a bound; what is bad or failed never is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from techdocs_server.adapters.authentication.authenticating import KEPT, CachingAuthenticator
from techdocs_server.domain.access_errors import AuthenticationUnavailable, Unauthenticated
from techdocs_server.domain.principal import Principal, PrincipalKind

from tests.support.clocks import NOON, ManualClock


class Counting:
    """Takes what begins with "good", for a time; says how often it was asked."""

    def __init__(self, lasts: timedelta | None = None) -> None:
        self.asked = 0
        self.lasts = lasts
        self.is_down = False

    async def authenticate(self, token: str) -> Principal:
        self.asked += 1
        if self.is_down:
            raise AuthenticationUnavailable("the issuer")
        if not token.startswith("good"):
            raise Unauthenticated("Illegal token")
        ends = None if self.lasts is None else NOON + self.lasts
        return Principal(PrincipalKind.USER, token, expire_time=ends)


async def test_verified_token_is_not_verified_again() -> None:
    inner = Counting(timedelta(hours=1))
    judge = CachingAuthenticator(inner, ManualClock())
    assert await judge.authenticate("good") is await judge.authenticate("good")
    assert (await judge.authenticate("good2")).subject == "good2"
    assert inner.asked == 2


@pytest.mark.parametrize(("lasts", "kept"), [(timedelta(seconds=90), 90.0), (timedelta(hours=1), 600.0), (None, 600.0)])
async def test_token_is_remembered_to_its_end_and_ten_minutes_at_most(lasts: timedelta | None, kept: float) -> None:
    clock, inner = ManualClock(), Counting(lasts)
    judge = CachingAuthenticator(inner, clock)
    await judge.authenticate("good")
    clock.advance(kept - 0.001)
    await judge.authenticate("good")
    assert inner.asked == 1
    clock.advance(0.001)
    await judge.authenticate("good")
    assert inner.asked == 2
    assert kept <= KEPT.total_seconds()


async def test_bad_token_and_failure_are_not_remembered() -> None:
    inner = Counting()
    judge = CachingAuthenticator(inner, ManualClock())
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            await judge.authenticate("bad")
    inner.is_down = True
    with pytest.raises(AuthenticationUnavailable):
        await judge.authenticate("good")
    inner.is_down = False
    assert (await judge.authenticate("good")).subject == "good"
    assert inner.asked == 4


async def test_memory_is_bounded() -> None:
    inner = Counting()
    judge = CachingAuthenticator(inner, ManualClock(), most_kept=10)
    for number in range(30):
        await judge.authenticate(f"good{number}")
    assert len(judge._known) == 10
    await judge.authenticate("good29")
    assert inner.asked == 30


async def test_the_token_itself_is_not_kept() -> None:
    judge = CachingAuthenticator(Counting(), ManualClock())
    await judge.authenticate("good-and-secret")
    assert all(b"secret" not in key for key in judge._known)
