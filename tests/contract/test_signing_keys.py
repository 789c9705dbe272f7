"""Keys this service signs with, over every kind of records: made once, shared, replaced by age, published long enough."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import jwt
import pytest
from jwt.types import Options
from techdocs_server.adapters.authentication.plugin_tokens import SigningPluginTokens
from techdocs_server.adapters.authentication.signing_keys import AHEAD, LIFE, PUBLISHED, TOKEN_LIFE, SigningKeys
from techdocs_server.adapters.records.memory_signing_keys import MemorySigningKeys
from techdocs_server.adapters.records.sql_signing_keys import SqlSigningKeys
from techdocs_server.domain.access_errors import Unauthenticated
from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.domain.principal import INTERNAL, Principal, PrincipalKind
from techdocs_server.ports.signing_keys import SigningKeyRecords, StoredSigningKey

from tests.support.clocks import NOON, ManualClock
from tests.support.stores import open_database


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def records(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SigningKeyRecords]:
    if request.param == "memory":
        yield MemorySigningKeys()
        return
    server = request.getfixturevalue("postgresql_server") if request.param == "postgresql" else None
    async with open_database(tmp_path, server) as database:
        yield SqlSigningKeys(database)


def stored(number: int, **seconds: float) -> StoredSigningKey:
    return StoredSigningKey(number, f"key-{number}", "pem", NOON + timedelta(**seconds))


def kids(key_set: bytes) -> list[str]:
    return [key["kid"] for key in json.loads(key_set)["keys"]]


async def test_keys_come_back_as_they_were_in_their_order(records: SigningKeyRecords) -> None:
    assert await records.keys() == []
    assert await records.add(stored(2, seconds=1))
    assert await records.add(stored(1))
    assert await records.keys() == [stored(1), stored(2, seconds=1)]


async def test_of_two_keys_with_a_number_the_first_stays(records: SigningKeyRecords) -> None:
    assert await records.add(stored(1))
    assert not await records.add(StoredSigningKey(1, "other", "pem", NOON))
    assert await records.keys() == [stored(1)]


async def test_keys_of_before_a_time_are_forgotten(records: SigningKeyRecords) -> None:
    await records.add(stored(1))
    await records.add(stored(2, seconds=5))
    for _ in range(2):
        await records.forget(before=NOON + timedelta(seconds=5))
        assert await records.keys() == [stored(2, seconds=5)]


async def test_processes_that_start_together_sign_with_one_key(records: SigningKeyRecords) -> None:
    replicas = [SigningKeys(records, ManualClock()) for _ in range(8)]
    keys = await asyncio.gather(*(replica.current() for replica in replicas))
    assert len({key.kid for key in keys}) == 1
    assert len(await records.keys()) == 1
    for replica in replicas:
        assert kids(await replica.key_set()) == [keys[0].kid]


async def test_no_key_is_made_by_whoever_asks_for_the_set(records: SigningKeyRecords) -> None:
    assert json.loads(await SigningKeys(records, ManualClock()).key_set()) == {"keys": []}
    assert await records.keys() == []


async def test_first_key_is_seen_at_once_by_a_replica_that_had_none(records: SigningKeyRecords) -> None:
    first, second = SigningKeys(records, ManualClock()), SigningKeys(records, ManualClock())
    assert kids(await second.key_set()) == []
    made = await first.current()
    assert kids(await second.key_set()) == [made.kid]


async def test_key_is_replaced_by_age_and_signs_only_after_it_was_published_for_a_while(
    records: SigningKeyRecords,
) -> None:
    clock = ManualClock()
    signer, reader = SigningKeys(records, clock), SigningKeys(records, clock)
    first = await signer.current()
    clock.advance(LIFE.total_seconds() - 1)
    assert (await signer.current()).kid == first.kid
    assert len(await records.keys()) == 1
    clock.advance(1)
    assert (await signer.current()).kid == first.kid
    assert len(kids(await reader.key_set())) == 2
    clock.advance(AHEAD.total_seconds())
    second = await signer.current()
    assert second.kid != first.kid
    assert kids(await reader.key_set()) == [first.kid, second.kid]


async def test_key_is_published_for_three_times_its_life_and_then_forgotten(records: SigningKeyRecords) -> None:
    clock = ManualClock()
    keys = SigningKeys(records, clock)
    first = await keys.current()
    clock.advance(PUBLISHED.total_seconds())
    assert first.kid in kids(await keys.key_set())
    clock.advance(1)
    assert first.kid not in kids(await keys.key_set())
    await keys.current()
    assert first.kid not in [key.kid for key in await records.keys()]


@pytest.mark.parametrize("idle", [LIFE, 2 * LIFE, PUBLISHED - AHEAD - TOKEN_LIFE, PUBLISHED - AHEAD, PUBLISHED])
@pytest.mark.parametrize("passed", [timedelta(), timedelta(minutes=30), timedelta(seconds=3599), timedelta(hours=1)])
async def test_what_is_signed_after_a_long_silence_verifies_until_it_ends(
    records: SigningKeyRecords, idle: timedelta, passed: timedelta
) -> None:
    clock = ManualClock()
    keys = SigningKeys(records, clock)
    await keys.current()
    clock.advance(idle.total_seconds() - 1)
    await keys.current()  # makes the next key, which is not to be used yet
    clock.advance(passed.total_seconds())
    signs = await keys.current()
    clock.advance(TOKEN_LIFE.total_seconds())
    assert signs.kid in kids(await keys.key_set())


async def test_set_shows_public_halves_only(records: SigningKeyRecords) -> None:
    keys = SigningKeys(records, ManualClock())
    current = await keys.current()
    [shown] = json.loads(await keys.key_set())["keys"]
    assert sorted(shown) == ["alg", "crv", "kid", "kty", "use", "x", "y"]
    assert (shown["alg"], shown["crv"], shown["kid"]) == ("ES256", "P-256", current.kid)
    [kept] = await records.keys()
    assert "PRIVATE KEY" in kept.private_key
    assert "PRIVATE KEY" not in repr(kept)


async def test_damaged_key_is_an_unavailable_store_and_shows_nothing(records: SigningKeyRecords) -> None:
    await records.add(StoredSigningKey(1, "kid", "-----BEGIN secret", NOON))
    with pytest.raises(StorageUnavailable) as caught:
        await SigningKeys(records, ManualClock()).current()
    assert "secret" not in caught.value.message


ALICE = Principal(
    PrincipalKind.USER, "user:default/alice", expire_time=NOON + timedelta(minutes=30), user_proof="proof"
)


async def test_token_for_a_plugin_verifies_with_the_set_and_says_for_whom(records: SigningKeyRecords) -> None:
    clock = ManualClock()
    keys = SigningKeys(records, clock)
    tokens = SigningPluginTokens(keys, clock)
    own, users = await tokens.token_for("catalog", INTERNAL), await tokens.token_for("catalog", ALICE)
    [jwk] = json.loads(await keys.key_set())["keys"]
    public = jwt.PyJWK(jwk).key
    options: Options = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(own, public, algorithms=["ES256"], audience="catalog", options=options)
    assert jwt.get_unverified_header(own) == {"typ": "vnd.backstage.plugin", "alg": "ES256", "kid": jwk["kid"]}
    assert claims == {
        "sub": "techdocs",
        "aud": "catalog",
        "iat": int(NOON.timestamp()),
        "exp": int(NOON.timestamp()) + 3600,
    }
    claims = jwt.decode(users, public, algorithms=["ES256"], audience="catalog", options=options)
    assert (claims["obo"], claims["exp"]) == ("proof", int(NOON.timestamp()) + 1800)


async def test_token_is_used_again_until_shortly_before_its_end(records: SigningKeyRecords) -> None:
    clock = ManualClock()
    tokens = SigningPluginTokens(SigningKeys(records, clock), clock, most_kept=3)
    first = await tokens.token_for("catalog", INTERNAL)
    clock.advance(3600 - 60)
    assert await tokens.token_for("catalog", INTERNAL) == first
    clock.advance(1)
    assert await tokens.token_for("catalog", INTERNAL) != first
    for number in range(5):
        await tokens.token_for(f"plugin-{number}", INTERNAL)
    assert len(tokens._made) == 3


async def test_user_without_proof_is_never_answered_with_our_own_rights(records: SigningKeyRecords) -> None:
    clock = ManualClock()
    tokens = SigningPluginTokens(SigningKeys(records, clock), clock)
    await tokens.token_for("catalog", INTERNAL)
    with pytest.raises(Unauthenticated, match="missing user identity proof"):
        await tokens.token_for("catalog", Principal(PrincipalKind.USER, "user:default/bob"))
    clock.advance(1800)
    with pytest.raises(Unauthenticated):
        await tokens.token_for("catalog", ALICE)
