"""Tokens of every wrong kind: each differs from a good one in one thing, and is refused in Backstage's words."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from techdocs_server.adapters.authentication.key_fetching import KeyFetcher
from techdocs_server.adapters.authentication.tokens import MAX_TOKEN_CHARACTERS, encoded
from techdocs_server.domain.access_errors import Unauthenticated

from tests.support.authenticators import LEGACY_SECRET, PROVIDER_ISSUER, PROVIDER_PATH, READER, authenticator
from tests.support.token_issuers import ALICE, Backstage, Issuer, key_set, part

USER = "Failed user token verification"
PLUGIN = "Failed plugin token verification"
ILLEGAL = "Illegal token"

TWICE = b'{"alg":"none","alg":"ES256","typ":"vnd.backstage.user"}'
NOT_A_NUMBER = b'{"exp":NaN}'
INFINITE = b'{"exp":1e400}'
HALF_A_CHARACTER = rb'{"sub":"user:default/\ud800"}'
HALF_A_KID = rb'{"alg":"ES256","typ":"vnd.backstage.user","kid":"\ud800"}'
IN_UTF_16 = '{"alg":"ES256","typ":"vnd.backstage.user"}'.encode("utf-16-le")
USER_HEADER = part({"alg": "ES256", "typ": "vnd.backstage.user"})
HUGE = 10**400

Make = Callable[[Backstage], str]


def now(seconds: float = 0) -> int:
    return int(time.time() + seconds)


def with_claims(token: str, **claims: object) -> str:
    """Return a token with other claims and the signature it had."""
    header, payload, signature = token.split(".")
    told = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return f"{header}.{part({**told, **claims})}.{signature}"


def with_header(token: str, **header: object) -> str:
    first, payload, signature = token.split(".")
    told = json.loads(base64.urlsafe_b64decode(first + "=="))
    return f"{part({**told, **header})}.{payload}.{signature}"


def shared_secret(token: str, secret: bytes) -> str:
    """Return the token as HS256 under a secret: what a verifier takes that trusts the algorithm of the header."""
    signed = with_header(token, alg="HS256").rpartition(".")[0]
    return f"{signed}.{encoded(hmac.digest(secret, signed.encode(), 'sha256'))}"


def public_pem(issuer: Issuer) -> bytes:
    public: Any = issuer.key.public_key()
    encoding, kind = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(public.public_bytes(encoding, kind))


def stranger(backstage: Backstage, kid: str) -> Issuer:
    return Issuer(kid=kid)


def signed_by(issuer: Issuer, token: str) -> str:
    """Return a token with the signature, and the key id, of another issuer."""
    first, payload, _ = token.split(".")
    told = json.loads(base64.urlsafe_b64decode(first + "=="))
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return issuer.sign({**told, "alg": issuer.algorithm, "kid": issuer.kid}, claims)


def cut(token: str) -> str:
    return token.rpartition(".")[0]


WRONG: dict[str, tuple[str, Make]] = {
    # No signature, or one of a shared secret.
    "user: alg none": (ILLEGAL, lambda b: cut(with_header(b.user_token(), alg="none")) + "."),
    "user: alg none, with a signature": (USER, lambda b: with_header(b.user_token(), alg="none")),
    "user: no signature": (ILLEGAL, lambda b: cut(b.user_token()) + "."),
    "user: HS256 with the public key as the secret": (
        USER,
        lambda b: shared_secret(b.user_token(), public_pem(b.auth)),
    ),
    "user: HS256 with the key set's own text": (
        USER,
        lambda b: shared_secret(b.user_token(), json.dumps(b.auth.jwk).encode()),
    ),
    "user: no alg": (ILLEGAL, lambda b: with_header(b.user_token(), alg=None)),
    "user: ES384 where the key is ES256": (USER, lambda b: with_header(b.user_token(), alg="ES384")),
    # Another key.
    "user: signed by a stranger": (USER, lambda b: signed_by(Issuer(), b.user_token())),
    "user: signed by a stranger under the issuer's key id": (
        USER,
        lambda b: signed_by(Issuer(kid=b.auth.kid), b.user_token()),
    ),
    "user: signed by a plugin": (USER, lambda b: signed_by(b.plugins["search"], b.user_token())),
    "user: key in the header": (
        USER,
        lambda b: (other := Issuer()).sign(
            {"typ": "vnd.backstage.user", "jwk": other.jwk}, {"sub": ALICE, "iat": now(), "exp": now(60)}
        ),
    ),
    "user: critical extension": (ILLEGAL, lambda b: b.user_token(header={"crit": ["exp"]})),
    # Other words than those that were signed.
    "user: changed subject": (USER, lambda b: with_claims(b.user_token(), sub="user:default/root")),
    "user: changed end": (USER, lambda b: with_claims(b.user_token(), exp=now(999_999))),
    "limited: changed payload": (USER, lambda b: with_claims(b.limited_token(), sub="user:default/root")),
    "limited made a full one by its header": (USER, lambda b: with_header(b.limited_token(), typ="vnd.backstage.user")),
    "user's signature under the limited parts": (
        USER,
        lambda b: f"{cut(b.limited_token())}.{b.user_token().rpartition('.')[2]}",
    ),
    # Times.
    "user: ended this second": (USER, lambda b: b.user_token(exp=now())),
    "user: never ends": (USER, lambda b: b.user_token(exp=None, uip=False)),
    "user: ends in words": (USER, lambda b: b.user_token(exp=str(now(60)))),
    "user: ends in true": (USER, lambda b: b.user_token(exp=True)),
    "user: ends beyond all years": (USER, lambda b: b.user_token(exp=10**15)),
    "user: not yet": (USER, lambda b: b.user_token(nbf=now(30))),
    "user: no iat": (USER, lambda b: b.user_token(iat=None, uip=False)),
    "limited: ended": (USER, lambda b: b.limited_token(exp=now(-1))),
    "legacy: never ends": (USER, lambda b: b.user_token(header={"typ": None}, uip=False, exp=None)),
    # Whose.
    "user: nobody": (USER, lambda b: b.user_token(sub=None, uip=False)),
    "user: empty subject": (USER, lambda b: b.user_token(subject="")),
    "user: called like a plugin": (USER, lambda b: b.user_token("plugin:search")),
    "user: called like a program": (USER, lambda b: b.user_token("external:root")),
    "user: line break in the subject": (USER, lambda b: b.user_token("user:default/a\nb")),
    "user: number for a subject": (USER, lambda b: b.user_token(sub=7)),
    # What for.
    "no type, other audience": (ILLEGAL, lambda b: b.user_token(header={"typ": None}, aud="other")),
    "no type, audiences in a list": (ILLEGAL, lambda b: b.user_token(header={"typ": None}, aud=["backstage"])),
    "type of another kind": (ILLEGAL, lambda b: b.user_token(header={"typ": "vnd.other.user"})),
    "type in capitals": (ILLEGAL, lambda b: b.user_token(header={"typ": "VND.BACKSTAGE.USER"})),
    "type that is a list": (ILLEGAL, lambda b: b.user_token(header={"typ": ["vnd.backstage.user"]})),
    # Plugins.
    "plugin: for another plugin": (PLUGIN, lambda b: b.plugin_token(aud="catalog")),
    "plugin: for nobody": (PLUGIN, lambda b: b.plugin_token(aud=None)),
    "plugin: for a longer name": (PLUGIN, lambda b: b.plugin_token(aud="techdocs2")),
    "plugin: signed by another plugin": (PLUGIN, lambda b: signed_by(b.plugins["catalog"], b.plugin_token())),
    "plugin: signed by the users' issuer": (PLUGIN, lambda b: signed_by(b.auth, b.plugin_token())),
    "plugin: without a key set": (PLUGIN, lambda b: b.plugin_token("unknown")),
    "plugin: path in the name": (PLUGIN, lambda b: b.plugin_token("../auth")),
    "plugin: encoded path in the name": (PLUGIN, lambda b: b.plugin_token("search%2f..")),
    "plugin: slash in the name": (PLUGIN, lambda b: b.plugin_token("search/x")),
    "plugin: dot in the name": (PLUGIN, lambda b: b.plugin_token("search.x")),
    "plugin: line break after the name": (PLUGIN, lambda b: b.plugin_token("search\n")),
    "plugin: query in the name": (PLUGIN, lambda b: b.plugin_token("search?x=")),
    "plugin: host in the name": (PLUGIN, lambda b: b.plugin_token("search@127.0.0.1")),
    "plugin: no name": (PLUGIN, lambda b: b.plugin_token(sub=None)),
    "plugin: ended": (PLUGIN, lambda b: b.plugin_token(exp=now())),
    "plugin: never ends": (PLUGIN, lambda b: b.plugin_token(exp=None)),
    "plugin: no iat": (PLUGIN, lambda b: b.plugin_token(iat=None)),
    "plugin: alg none": (PLUGIN, lambda b: with_header(b.plugin_token(), alg="none")),
    "plugin: HS256 with its public key": (
        PLUGIN,
        lambda b: shared_secret(b.plugin_token(), public_pem(b.plugins["search"])),
    ),
    "plugin: changed name": (PLUGIN, lambda b: with_claims(b.plugin_token(), sub="catalog")),
    "plugin: added user": (PLUGIN, lambda b: with_claims(b.plugin_token(), obo=b.limited_token())),
    # Users that plugins act for.
    "obo: full token": (
        "Invalid user token in plugin token obo claim",
        lambda b: b.plugin_token(obo=b.user_token()),
    ),
    "obo: plugin token": (
        "Invalid user token in plugin token obo claim",
        lambda b: b.plugin_token(obo=b.plugin_token()),
    ),
    "obo: static token": ("Invalid user token in plugin token obo claim", lambda b: b.plugin_token(obo=READER)),
    "obo: empty": ("Invalid user token in plugin token obo claim", lambda b: b.plugin_token(obo="")),
    "obo: nothing": ("Invalid user token in plugin token obo claim", lambda b: b.plugin_token(obo=0)),
    "obo: ended": (USER, lambda b: b.plugin_token(obo=b.limited_token(exp=now(-1)))),
    "obo: signed by the plugin itself": (
        USER,
        lambda b: b.plugin_token(obo=signed_by(b.plugins["search"], b.limited_token())),
    ),
    # What is no token.
    "words": (ILLEGAL, lambda b: "garbage"),
    "two parts": (ILLEGAL, lambda b: cut(b.user_token())),
    "four parts": (ILLEGAL, lambda b: b.user_token() + ".e30"),
    "padding": (ILLEGAL, lambda b: b.user_token() + "="),
    "not JSON": (ILLEGAL, lambda b: f"{encoded(b'{')}.{encoded(b'{}')}.e30"),
    "lists": (ILLEGAL, lambda b: f"{encoded(b'[]')}.{encoded(b'[]')}.e30"),
    "nested": (ILLEGAL, lambda b: f"{encoded(b'[' * 4000)}.{encoded(b'{}')}.e30"),
    "a name twice": (
        ILLEGAL,
        lambda b: f"{encoded(TWICE)}.e30.e30",
    ),
    "NaN": (ILLEGAL, lambda b: f"{USER_HEADER}.{encoded(NOT_A_NUMBER)}.e30"),
    # What Python reads, and cannot convert.
    "user: made beyond all numbers": (ILLEGAL, lambda b: b.user_token(iat=HUGE, uip=False)),
    "user: made beyond all numbers, under a key id of nobody": (
        ILLEGAL,
        lambda b: signed_by(Issuer(), with_claims(b.user_token(), iat=HUGE)),
    ),
    "user: ends beyond all numbers": (ILLEGAL, lambda b: b.user_token(exp=HUGE, uip=False)),
    "user: begins before all numbers": (ILLEGAL, lambda b: b.user_token(nbf=-HUGE)),
    "user: a number beyond all numbers, in a list": (ILLEGAL, lambda b: b.user_token(more=[HUGE])),
    "user: infinite": (
        ILLEGAL,
        lambda b: f"{USER_HEADER}.{encoded(INFINITE)}.e30",
    ),
    "user: half a character in a claim": (ILLEGAL, lambda b: f"{USER_HEADER}.{encoded(HALF_A_CHARACTER)}.e30"),
    "user: half a character in the key id": (ILLEGAL, lambda b: f"{encoded(HALF_A_KID)}.e30.e30"),
    "limited: made beyond all numbers": (ILLEGAL, lambda b: b.limited_token(iat=HUGE)),
    "plugin: made beyond all numbers": (ILLEGAL, lambda b: b.plugin_token(iat=HUGE)),
    "obo: made beyond all numbers": (
        "Invalid user token in plugin token obo claim",
        lambda b: b.plugin_token(obo=b.limited_token(iat=HUGE)),
    ),
    "UTF-16": (ILLEGAL, lambda b: f"{encoded(IN_UTF_16)}.e30.e30"),
    "provider: issuers in a list": (
        ILLEGAL,
        lambda b: b.auth.sign({}, {"iss": [PROVIDER_ISSUER], "aud": "techdocs", "sub": "ci", "exp": now(60)}),
    ),
    "provider: issuer that is an object": (
        ILLEGAL,
        lambda b: b.auth.sign({}, {"iss": {}, "aud": "techdocs", "sub": "ci", "exp": now(60)}),
    ),
    "large": (ILLEGAL, lambda b: b.user_token(more="x" * MAX_TOKEN_CHARACTERS)),
    "letters beyond ASCII": (ILLEGAL, lambda b: "tokän-0123456789"),
    "static token with a letter more": (ILLEGAL, lambda b: READER + "x"),
    "static token with a letter less": (ILLEGAL, lambda b: READER[:-1]),
    "static token in capitals": (ILLEGAL, lambda b: READER.upper()),
}


@pytest.mark.parametrize("name", WRONG)
async def test_wrong_token_is_refused_in_backstages_words(issuers: Backstage, fetcher: KeyFetcher, name: str) -> None:
    message, make = WRONG[name]
    with pytest.raises(Unauthenticated) as caught:
        await authenticator(issuers, fetcher).authenticate(make(issuers))
    assert caught.value.message == message


async def test_no_token_is_missing_credentials(issuers: Backstage, fetcher: KeyFetcher) -> None:
    with pytest.raises(Unauthenticated, match=r"^Missing credentials$"):
        await authenticator(issuers, fetcher).authenticate("")


async def test_the_good_ones_beside_them_are_taken(issuers: Backstage, fetcher: KeyFetcher) -> None:
    # What the wrong ones differ from, in one thing each.
    judge = authenticator(issuers, fetcher)
    for token in (
        issuers.user_token(),
        issuers.user_token(exp=now(5)),
        issuers.user_token(nbf=now()),
        issuers.user_token(header={"typ": None}, uip=False),
        issuers.user_token(more="x" * 4000),
        issuers.limited_token(),
        issuers.plugin_token(),
        issuers.plugin_token(aud=["catalog", "techdocs"]),
        issuers.plugin_token(obo=issuers.limited_token()),
        issuers.plugin_token(obo=issuers.user_token(header={"typ": None}, uip=False)),
        READER,
    ):
        await judge.authenticate(token)
    # And what the helpers of the table do to a token does not spoil it by itself.
    await judge.authenticate(signed_by(issuers.auth, issuers.user_token()))


async def test_token_of_a_provider_must_be_what_is_configured(issuers: Backstage, fetcher: KeyFetcher) -> None:
    provider, rsa = Issuer(), Issuer("RS256")
    issuers.web.pages[PROVIDER_PATH] = key_set(provider, rsa)
    judge = authenticator(issuers, fetcher)
    good = {"iss": PROVIDER_ISSUER, "aud": "techdocs", "sub": "ci", "exp": now(60)}
    await judge.authenticate(provider.sign({}, good))
    for wrong in (
        provider.sign({}, good | {"iss": "https://other.example"}),
        provider.sign({}, good | {"aud": "catalog"}),
        provider.sign({}, good | {"exp": now()}),
        provider.sign({}, good | {"sub": ""}),
        provider.sign({}, {name: value for name, value in good.items() if name != "exp"}),
        rsa.sign({}, good),  # a key of theirs, of an algorithm that is not theirs
        signed_by(Issuer(kid=provider.kid), provider.sign({}, good)),
        shared_secret(provider.sign({}, good), public_pem(provider)),
    ):
        with pytest.raises(Unauthenticated, match=r"^Illegal token$"):
            await judge.authenticate(wrong)


async def test_token_with_the_shared_secret_must_be_backstages_own(issuers: Backstage, fetcher: KeyFetcher) -> None:
    judge, secret = authenticator(issuers, fetcher), base64.b64decode(LEGACY_SECRET)

    def made(secret: bytes, **claims: object) -> str:
        told = {"sub": "backstage-server", "exp": now(60)} | claims
        return shared_secret(f"{part({'alg': 'HS256'})}.{part(told)}.e30", secret)

    await judge.authenticate(made(secret))
    for wrong in (
        made(b"another secret of 32 bytes, yes!"),
        made(secret, sub="somebody"),
        made(secret, aud="techdocs"),
        made(secret, exp=now()),
        made(secret, exp=None),
        # The scheme of older Backstages signed with the text of the secret by mistake; ours never did.
        made(LEGACY_SECRET.encode()),
    ):
        with pytest.raises(Unauthenticated, match=r"^Illegal token$"):
            await judge.authenticate(wrong)
