"""Every kind of good token stands for whom Backstage says it does."""

from __future__ import annotations

import base64
import hmac
import time

import jwt
import pytest
from techdocs_server.adapters.authentication.key_fetching import KeyFetcher
from techdocs_server.adapters.authentication.tokens import encoded
from techdocs_server.domain.access_errors import AccessDenied
from techdocs_server.domain.principal import Permission, PrincipalKind

from tests.support.authenticators import (
    ADMIN,
    ELSEWHERE,
    LEGACY_SECRET,
    PROVIDER_ISSUER,
    PROVIDER_PATH,
    PUBLISHER,
    READER,
    authenticator,
)
from tests.support.token_issuers import ALICE, Backstage, Issuer, key_set, part


async def test_user_token_is_the_user_with_a_limited_token_that_verifies(
    issuers: Backstage, fetcher: KeyFetcher
) -> None:
    found = await authenticator(issuers, fetcher).authenticate(issuers.user_token())
    assert (found.kind, found.subject, found.actor, found.is_limited) == (PrincipalKind.USER, ALICE, "", False)
    assert found.permissions == frozenset()
    # The issuer itself takes it, with the claims that Backstage's cookie has and no others.
    header = jwt.get_unverified_header(found.user_proof)
    claims = jwt.decode(found.user_proof, issuers.auth.key.public_key(), algorithms=["ES256"])
    assert header == {"typ": "vnd.backstage.limited-user", "alg": "ES256", "kid": issuers.auth.kid}
    assert sorted(claims) == ["exp", "iat", "sub"]
    assert found.expire_time is not None
    assert claims["exp"] == found.expire_time.timestamp()


async def test_limited_token_is_the_user_and_limited(issuers: Backstage, fetcher: KeyFetcher) -> None:
    token = issuers.limited_token()
    found = await authenticator(issuers, fetcher).authenticate(token)
    assert (found.subject, found.is_limited, found.user_proof) == (ALICE, True, token)


async def test_limited_token_made_of_a_user_token_is_taken(issuers: Backstage, fetcher: KeyFetcher) -> None:
    judge = authenticator(issuers, fetcher)
    # Letters that JSON could write in two ways: only the bytes that were signed verify.
    user = await judge.authenticate(issuers.user_token("user:default/zoë.ümläut"))
    limited = await judge.authenticate(user.user_proof)
    assert (limited.subject, limited.is_limited) == ("user:default/zoë.ümläut", True)


async def test_user_token_without_a_proof_is_the_user_without_a_limited_token(
    issuers: Backstage, fetcher: KeyFetcher
) -> None:
    found = await authenticator(issuers, fetcher).authenticate(issuers.user_token(uip=False))
    assert (found.subject, found.user_proof) == (ALICE, "")


@pytest.mark.parametrize("typ", [None, "JWT"])
async def test_legacy_user_token_is_its_own_proof(issuers: Backstage, fetcher: KeyFetcher, typ: str | None) -> None:
    token = issuers.user_token(uip=False, header={"typ": typ})
    found = await authenticator(issuers, fetcher).authenticate(token)
    assert (found.subject, found.is_limited, found.user_proof) == (ALICE, False, token)


async def test_type_may_be_written_as_a_whole_media_type(issuers: Backstage, fetcher: KeyFetcher) -> None:
    token = issuers.user_token(header={"typ": "application/vnd.backstage.user"})
    assert (await authenticator(issuers, fetcher).authenticate(token)).subject == ALICE


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "ES512", "RS256", "RS512", "PS256", "EdDSA"])
async def test_whatever_asymmetric_algorithm_the_key_declares_is_taken(
    issuers: Backstage, fetcher: KeyFetcher, algorithm: str
) -> None:
    issuers.auth = Issuer(algorithm)
    issuers.publish()
    judge = authenticator(issuers, fetcher)
    user = await judge.authenticate(issuers.user_token())
    assert (await judge.authenticate(user.user_proof)).is_limited


async def test_plugin_token_is_the_plugin(issuers: Backstage, fetcher: KeyFetcher) -> None:
    found = await authenticator(issuers, fetcher).authenticate(issuers.plugin_token())
    assert (found.kind, found.subject, found.user_proof) == (PrincipalKind.SERVICE, "plugin:search", "")
    assert "/api/search/.backstage/auth/v1/jwks.json" in [request.path for request in issuers.web.requests]


async def test_plugin_token_for_a_user_is_the_user_through_the_plugin(issuers: Backstage, fetcher: KeyFetcher) -> None:
    proof = issuers.limited_token(exp=int(time.time()) + 60)
    found = await authenticator(issuers, fetcher).authenticate(issuers.plugin_token(obo=proof))
    assert (found.kind, found.subject, found.actor) == (PrincipalKind.USER, ALICE, "plugin:search")
    assert not found.is_limited
    assert found.user_proof == proof
    assert found.expire_time is not None
    assert found.expire_time.timestamp() <= time.time() + 61  # the earlier end of the two


async def test_static_tokens_are_programs_with_what_is_granted(issuers: Backstage, fetcher: KeyFetcher) -> None:
    judge = authenticator(issuers, fetcher)
    reader = await judge.authenticate(READER)
    assert (reader.kind, reader.subject, reader.permissions) == (
        PrincipalKind.SERVICE,
        "external:reader",
        frozenset(),
    )
    assert (await judge.authenticate(PUBLISHER)).permissions == {Permission.PUBLISH}
    assert (await judge.authenticate(ADMIN)).permissions == frozenset(Permission)


async def test_token_for_another_plugin_is_denied_in_backstages_words(issuers: Backstage, fetcher: KeyFetcher) -> None:
    with pytest.raises(AccessDenied, match=r"^This token's access is restricted to plugin\(s\) 'catalog'$"):
        await authenticator(issuers, fetcher).authenticate(ELSEWHERE)


async def test_token_of_a_provider_is_its_subject_below_the_prefix(issuers: Backstage, fetcher: KeyFetcher) -> None:
    provider = Issuer()
    issuers.web.pages[PROVIDER_PATH] = key_set(provider)
    claims = {"iss": PROVIDER_ISSUER, "aud": ["other", "techdocs"], "sub": "repo:a/b", "exp": int(time.time()) + 60}
    found = await authenticator(issuers, fetcher).authenticate(provider.sign({}, claims))
    assert (found.kind, found.subject) == (PrincipalKind.SERVICE, "external:provider:repo:a/b")


async def test_token_with_the_shared_secret_is_a_program(issuers: Backstage, fetcher: KeyFetcher) -> None:
    signed = f"{part({'alg': 'HS256'})}.{part({'sub': 'backstage-server', 'exp': int(time.time()) + 60})}"
    signature = encoded(hmac.digest(base64.b64decode(LEGACY_SECRET), signed.encode(), "sha256"))
    found = await authenticator(issuers, fetcher).authenticate(f"{signed}.{signature}")
    assert (found.kind, found.subject) == (PrincipalKind.SERVICE, "external:legacy")
