"""Every kind of credential that a request to Backstage can carry, good and bad, by name."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from tests.support.backstage.backend import BOB, RESTRICTED_TOKEN, STATIC_TOKEN, BackstageBackend

COOKIE = "backstage-auth"


async def credentials(backstage: BackstageBackend) -> Mapping[str, tuple[str, ...]]:
    """Return the header lines of each kind of credential; Backstage's own code issued what is valid, and what has expired."""
    user, expired = await backstage.user_token(), await backstage.user_token(seconds=-60)
    limited = await backstage.limited_token(user)
    plugin = await backstage.plugin_token()
    head, payload, signature = user.split(".")
    tokens = {
        "garbage": "garbage",
        "user": user,
        "bob": await backstage.user_token(BOB),
        "expired user": expired,
        "user with other claims": f"{head}.{_with_other_subject(payload)}.{signature}",
        "user of a foreign key": _foreign("vnd.backstage.user", sub="user:default/alice", aud="backstage", kid="users"),
        "user of an unknown key": _foreign(
            "vnd.backstage.user", sub="user:default/alice", aud="backstage", kid="nobody"
        ),
        "unsigned user": _unsigned(payload),
        "user by a symmetric key": _symmetric(),
        "limited": limited,
        "plugin": plugin,
        "plugin for a user": await backstage.plugin_token(user_token=user),
        "plugin for another plugin": await backstage.plugin_token("catalog"),
        "plugin that is none": _foreign("vnd.backstage.plugin", sub="ghost", aud="techdocs", kid="ghost"),
        "plugin named as a path": _foreign("vnd.backstage.plugin", sub="../search", aud="techdocs", kid="plugins"),
        "static": STATIC_TOKEN,
        "restricted static": RESTRICTED_TOKEN,
    }
    bearers = {kind: (f"authorization: Bearer {token}",) for kind, token in tokens.items()}
    return bearers | {
        "none": (),
        "bearer in small letters": (f"authorization: bearer {user}",),
        "bearer and two spaces": (f"authorization: Bearer  {user}",),
        "bearer without a token": ("authorization: Bearer ",),
        "bearer and two tokens": (f"authorization: Bearer {user} {user}",),
        "basic": ("authorization: Basic YWxpY2U6c2VjcmV0",),
        "cookie": (f"cookie: {COOKIE}={limited}",),
        "cookie among others": (f"cookie: a=b; {COOKIE}={limited}; c=d",),
        "cookie with a user token": (f"cookie: {COOKIE}={user}",),
        "cookie with a plugin token": (f"cookie: {COOKIE}={plugin}",),
        "cookie with a static token": (f"cookie: {COOKIE}={STATIC_TOKEN}",),
        "garbage in the cookie": (f"cookie: {COOKIE}=garbage",),
        "expired cookie": (f"cookie: {COOKIE}={await _expired_cookie(backstage, expired)}",),
        "garbage and a cookie": ("authorization: Bearer garbage", f"cookie: {COOKIE}={limited}"),
        "basic and a cookie": ("authorization: Basic YWxpY2U6c2VjcmV0", f"cookie: {COOKIE}={limited}"),
        "user and garbage in the cookie": (f"authorization: Bearer {user}", f"cookie: {COOKIE}=garbage"),
        "user and a cookie": (f"authorization: Bearer {user}", f"cookie: {COOKIE}={limited}"),
    }


async def _expired_cookie(backstage: BackstageBackend, expired: str) -> str:
    # Backstage limits valid tokens only, so this one is put together as its auth service does it
    # (backend-defaults, UserTokenHandler): the signature comes with the user token, in the claim `uip`.
    claims = jwt.decode(expired, options={"verify_signature": False})
    head = {"typ": "vnd.backstage.limited-user", "alg": "ES256", "kid": jwt.get_unverified_header(expired)["kid"]}
    body = {name: claims[name] for name in ("sub", "iat", "exp")}
    return f"{_encoded(head)}.{_encoded(body)}.{claims['uip']}"


def _foreign(kind: str, *, sub: str, aud: str, kid: str) -> str:
    key, now = generate_private_key(SECP256R1()), int(time.time())
    claims = {"sub": sub, "aud": aud, "iat": now, "exp": now + 3600}
    return jwt.encode(claims, key, algorithm="ES256", headers={"typ": kind, "kid": kid})


def _symmetric() -> str:
    now = int(time.time())
    claims = {"sub": "user:default/alice", "aud": "backstage", "iat": now, "exp": now + 3600}
    head = {"typ": "vnd.backstage.user", "kid": "users"}
    return jwt.encode(claims, b"0123456789abcdef0123456789abcdef", algorithm="HS256", headers=head)


def _with_other_subject(payload: str) -> str:
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return _encoded({**claims, "sub": BOB})


def _unsigned(payload: str) -> str:
    return f"{_encoded({'typ': 'vnd.backstage.user', 'alg': 'none', 'kid': 'users'})}.{payload}."


def _encoded(value: Mapping[str, object]) -> str:
    raw = json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
