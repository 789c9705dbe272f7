"""Key sets over HTTP: fetched once for all, kept for a while, fetched anew with a bound, and never guessed at."""

from __future__ import annotations

import asyncio
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import ECAlgorithm
from techdocs_server.adapters.authentication.key_fetching import KeyFetcher
from techdocs_server.adapters.authentication.remote_keys import (
    AFTER_FAILURE_SECONDS,
    COOLDOWN_SECONDS,
    FORCED_PER_MINUTE,
    KEPT_SECONDS,
    RemoteKeys,
)
from techdocs_server.adapters.authentication.tokens import Token
from techdocs_server.adapters.authentication.verification_keys import VerificationKey, parse_key_set
from techdocs_server.domain.access_errors import AuthenticationUnavailable

from tests.support.token_issuers import Backstage, Issuer, key_set
from tests.support.web_server import Page

PATH = "/keys"
WALL = 1_700_000_000.0


class Times:
    """Both clocks of a key set, moved by hand."""

    def __init__(self) -> None:
        self.passed = 1000.0

    def seconds(self) -> float:
        return self.passed

    def wall_seconds(self) -> float:
        return WALL + self.passed


class Set:
    """A key set at an address, its clocks, and the issuers whose keys are there."""

    def __init__(self, issuers: Backstage, fetcher: KeyFetcher, *, absent_is_empty: bool = False) -> None:
        self.web = issuers.web
        self.times = Times()
        self.first = Issuer()
        self.publish(self.first)
        self.keys = RemoteKeys(
            f"{issuers.url}{PATH}",
            "the issuer",
            fetcher.fetch,
            absent_is_empty=absent_is_empty,
            seconds=self.times.seconds,
            wall_seconds=self.times.wall_seconds,
        )

    def publish(self, *issuers: Issuer) -> None:
        self.web.pages[PATH] = key_set(*issuers)

    @property
    def fetches(self) -> int:
        return len(self.web.requests)

    async def knows(self, issuer: Issuer, *, made: float = 0.0) -> bool:
        """Whether the key of an issuer is found for a token that was made some seconds from now."""
        issued = self.times.wall_seconds() + made
        token = Token.parse(issuer.sign({}, {"sub": "x", "iat": issued}))
        assert token is not None
        return any(key.verifies(token) for key in await self.keys.candidates(token))


@pytest.fixture
def keys(issuers: Backstage, fetcher: KeyFetcher) -> Set:
    return Set(issuers, fetcher)


async def test_set_is_fetched_once_and_kept_ten_minutes(keys: Set) -> None:
    assert await keys.knows(keys.first)
    keys.times.passed += KEPT_SECONDS - 1
    assert await keys.knows(keys.first)
    assert keys.fetches == 1
    keys.times.passed += 1
    assert await keys.knows(keys.first)
    assert keys.fetches == 2


async def test_key_that_was_withdrawn_is_good_no_longer_than_the_set_is_kept(keys: Set) -> None:
    assert await keys.knows(keys.first)
    keys.publish(Issuer())
    keys.times.passed += KEPT_SECONDS
    assert not await keys.knows(keys.first)


async def test_all_who_wait_share_one_fetch(keys: Set) -> None:
    assert await asyncio.gather(*(keys.knows(keys.first) for _ in range(20))) == [True] * 20
    assert keys.fetches == 1


async def test_caller_that_leaves_does_not_take_the_keys_from_the_others() -> None:
    issuer, begun, go_on = Issuer(), asyncio.Event(), asyncio.Event()

    async def fetch(_: str) -> tuple[VerificationKey, ...]:
        begun.set()
        await go_on.wait()
        return parse_key_set(key_set(issuer).content)

    keys = RemoteKeys("http://issuer", "the issuer", fetch)
    token = Token.parse(issuer.sign({}, {}))
    assert token is not None
    leaving = asyncio.create_task(keys.candidates(token))
    await begun.wait()
    staying = asyncio.create_task(keys.candidates(token))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])
    go_on.set()
    assert [key.kid for key in await staying] == [issuer.kid]
    assert leaving.cancelled()


async def test_new_key_is_found_at_once_by_a_token_that_was_made_after_the_fetch(keys: Set) -> None:
    assert await keys.knows(keys.first)
    second = Issuer()
    keys.publish(keys.first, second)
    keys.times.passed += 5
    assert await keys.knows(second)
    assert keys.fetches == 2


async def test_unknown_key_of_an_old_token_waits_for_the_cooldown(keys: Set) -> None:
    assert await keys.knows(keys.first)
    second = Issuer()
    keys.publish(keys.first, second)
    assert not await keys.knows(second, made=-60)
    assert keys.fetches == 1
    keys.times.passed += COOLDOWN_SECONDS
    assert await keys.knows(second, made=-60 - COOLDOWN_SECONDS)


async def test_made_up_keys_cause_ten_fetches_a_minute_at_most(keys: Set) -> None:
    assert await keys.knows(keys.first)
    for _ in range(FORCED_PER_MINUTE + 15):
        assert not await keys.knows(Issuer())
    assert keys.fetches == 1 + FORCED_PER_MINUTE
    assert await keys.knows(keys.first)  # and keep nobody out
    keys.times.passed += 60
    assert not await keys.knows(Issuer())
    assert keys.fetches == 2 + FORCED_PER_MINUTE


async def test_known_key_with_another_algorithm_fetches_nothing(keys: Set) -> None:
    assert await keys.knows(keys.first)
    assert not await keys.knows(Issuer("ES384", kid=keys.first.kid))
    assert keys.fetches == 1


async def test_token_without_a_key_id_needs_a_set_of_one_fitting_key(keys: Set) -> None:
    nameless = Issuer(kid="")
    nameless.key = keys.first.key
    assert await keys.knows(nameless)
    keys.publish(keys.first, Issuer())
    keys.times.passed += KEPT_SECONDS
    assert not await keys.knows(nameless)


async def test_outage_is_neither_good_nor_bad_and_ends_by_itself(keys: Set) -> None:
    keys.web.pages[PATH] = Page(status=503)
    for _ in range(3):
        with pytest.raises(AuthenticationUnavailable, match="the keys of the issuer cannot be had"):
            await keys.knows(keys.first)
    assert keys.fetches == 1  # a failure is not repeated by everybody who asks
    keys.publish(keys.first)
    keys.times.passed += AFTER_FAILURE_SECONDS
    assert await keys.knows(keys.first)


async def test_keys_are_used_through_an_outage_until_they_are_ten_minutes_old(keys: Set) -> None:
    assert await keys.knows(keys.first)
    keys.web.pages[PATH] = Page(status=500)
    keys.times.passed += KEPT_SECONDS - 1
    assert await keys.knows(keys.first)
    with pytest.raises(AuthenticationUnavailable):
        await keys.knows(Issuer())
    assert await keys.knows(keys.first)
    keys.times.passed += AFTER_FAILURE_SECONDS
    with pytest.raises(AuthenticationUnavailable):
        await keys.knows(keys.first)


@pytest.mark.parametrize(
    "page",
    [
        Page(status=404),
        Page(status=204),
        Page(status=301, headers={"Location": "/elsewhere"}),
        Page(b"<html>", headers={"Content-Type": "text/html"}),
        Page(b'{"keys":{}}'),
        Page(b"[" * 100_000),
        Page(b'{"keys":[' + b" " * 300_000 + b"]}"),
        Page(json.dumps({"keys": [{}] * 101}).encode()),
        Page(b'{"keys":[', sends=3),
    ],
    ids=["404", "204", "redirect", "not JSON", "no list", "nested", "large", "many", "cut off"],
)
async def test_anything_but_a_key_set_is_an_outage(keys: Set, page: Page) -> None:
    # What a redirect names would be taken, were it followed.
    keys.web.pages["/elsewhere"] = key_set(keys.first)
    keys.web.pages[PATH] = page
    with pytest.raises(AuthenticationUnavailable):
        await keys.knows(keys.first)
    assert [request.path for request in keys.web.requests] == [PATH]


async def test_plugin_without_a_key_set_has_no_keys(issuers: Backstage, fetcher: KeyFetcher) -> None:
    keys = Set(issuers, fetcher, absent_is_empty=True)
    keys.web.pages[PATH] = Page(status=404)
    assert not await keys.knows(keys.first)
    assert keys.keys.is_empty


async def test_unreachable_issuer_is_an_outage(fetcher: KeyFetcher) -> None:
    keys = RemoteKeys("http://127.0.0.1:1/keys", "the issuer", fetcher.fetch)
    token = Token.parse(Issuer().sign({}, {}))
    assert token is not None
    with pytest.raises(AuthenticationUnavailable) as caught:
        await keys.candidates(token)
    assert "127.0.0.1" not in caught.value.message


async def test_keys_that_cannot_verify_are_left_out(keys: Set) -> None:
    weak, good = Issuer("RS256"), Issuer("RS256")
    weak.key = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that it is refused is the point
    other_use, other_ops, private, wrong_curve = Issuer(), Issuer(), Issuer(), Issuer()
    document = {
        "keys": [
            weak.jwk,
            other_use.jwk | {"use": "enc"},
            other_ops.jwk | {"key_ops": ["sign"]},
            {**ECAlgorithm.to_jwk(private.key, as_dict=True), "kid": private.kid, "alg": "ES256"},
            wrong_curve.jwk | {"alg": "ES384"},
            Issuer().jwk | {"alg": "HS256"},
            {"kty": "oct", "k": "c2VjcmV0", "alg": "HS256", "kid": "shared"},
            {"kty": "EC", "crv": "P-256", "x": "!", "y": "!", "kid": "broken"},
            {"kty": ["EC"]},
            "no key",
            good.jwk,
        ]
    }
    keys.web.pages[PATH] = Page(json.dumps(document).encode())
    assert await keys.knows(good)
    for refused in (weak, other_use, other_ops, private, wrong_curve):
        assert not await keys.knows(refused, made=-60)


async def test_key_that_declares_no_algorithm_takes_those_of_its_kind(keys: Set) -> None:
    rs, ps = Issuer("RS256"), Issuer("PS384")
    ps.key, ps.kid = rs.key, rs.kid
    jwk = {name: value for name, value in rs.jwk.items() if name != "alg"}
    keys.web.pages[PATH] = Page(json.dumps({"keys": [jwk]}).encode())
    assert await keys.knows(rs)
    assert await keys.knows(ps)
    # Declaring one, it takes no other.
    keys.publish(rs)
    keys.times.passed += KEPT_SECONDS
    assert await keys.knows(rs)
    assert not await keys.knows(ps)


async def test_slow_issuer_is_given_up(issuers: Backstage) -> None:
    async with KeyFetcher(timeout_seconds=0.2) as hasty:
        keys = Set(issuers, hasty)
        keys.web.pages[PATH] = Page(b'{"keys":[]}', sends=1)
        keys.web.hang.set()
        with pytest.raises(AuthenticationUnavailable):
            await keys.knows(keys.first)
