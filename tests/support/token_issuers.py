"""Issuers of tokens as Backstage has them: real keys, real signatures, key sets on a real web server."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from techdocs_server.adapters.authentication.tokens import encoded

from tests.support.web_server import Page, WebServer, web_server

ALICE = "user:default/alice"


def part(value: object) -> str:
    """Return a value as a part of a token: JSON without spaces, in base64url."""
    return encoded(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())


class Issuer:
    """A key that signs."""

    def __init__(self, algorithm: str = "ES256", *, kid: str | None = None) -> None:
        self.algorithm = algorithm
        self.kid = uuid.uuid4().hex if kid is None else kid
        self.key = _new_key(algorithm)

    @property
    def jwk(self) -> dict[str, Any]:
        """The public key, as a key set has it."""
        public = self.key.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            found = RSAAlgorithm.to_jwk(public, as_dict=True)
        elif isinstance(public, ec.EllipticCurvePublicKey):
            found = ECAlgorithm.to_jwk(public, as_dict=True)
        else:
            found = OKPAlgorithm.to_jwk(public, as_dict=True)
        return {**found, "kid": self.kid, "alg": self.algorithm, "use": "sig"}

    def signature(self, signed: str) -> str:
        """Sign two parts of a token."""
        return encoded(jwt.get_algorithm_by_name(self.algorithm).sign(signed.encode(), self.key))

    def sign(self, header: Mapping[str, object], claims: Mapping[str, object]) -> str:
        """Return a token of this issuer; what is None in the header is left out of it."""
        whole = {"alg": self.algorithm, "kid": self.kid, **header}
        signed = f"{part({k: v for k, v in whole.items() if v is not None})}.{part(claims)}"
        return f"{signed}.{self.signature(signed)}"


def _new_key(algorithm: str) -> Any:
    if algorithm.startswith(("RS", "PS")):
        return rsa.generate_private_key(65537, 2048)
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    curves: dict[str, ec.EllipticCurve] = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
    return ec.generate_private_key(curves[algorithm])


def key_set(*issuers: Issuer) -> Page:
    """Return the page with the keys of issuers."""
    return Page(json.dumps({"keys": [issuer.jwk for issuer in issuers]}).encode())


@dataclass
class Backstage:
    """A backend's issuers: that of the users, and each plugin's own."""

    web: WebServer
    auth: Issuer = field(default_factory=Issuer)
    plugins: dict[str, Issuer] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Its base address."""
        return self.web.url

    @property
    def user_keys_path(self) -> str:
        """Where the key set of the users is."""
        return "/api/auth/.well-known/jwks.json"

    def publish(self) -> None:
        """Put the key sets where they belong."""
        self.web.pages[self.user_keys_path] = key_set(self.auth)
        for name, issuer in self.plugins.items():
            self.web.pages[f"/api/{name}/.backstage/auth/v1/jwks.json"] = key_set(issuer)

    def user_token(
        self, subject: str = ALICE, *, header: Mapping[str, object] | None = None, uip: bool = True, **claims: object
    ) -> str:
        """Return a token as a user signs in with. A claim that is None is left out."""
        now = int(time.time())
        whole: dict[str, object] = {
            "iss": f"{self.url}/api/auth",
            "sub": subject,
            "ent": [subject],
            "aud": "backstage",
            "iat": now,
            "exp": now + 3600,
        } | claims
        if uip:
            whole["uip"] = self.auth.signature(self._limited_parts(whole))
        whole = {name: value for name, value in whole.items() if value is not None}
        return self.auth.sign({"typ": "vnd.backstage.user", **(header or {})}, whole)

    def limited_token(self, subject: str = ALICE, **claims: object) -> str:
        """Return a token as the cookie has."""
        now = int(time.time())
        parts = self._limited_parts({"sub": subject, "iat": now, "exp": now + 3600} | claims)
        return f"{parts}.{self.auth.signature(parts)}"

    def _limited_parts(self, claims: Mapping[str, object]) -> str:
        header = {"typ": "vnd.backstage.limited-user", "alg": self.auth.algorithm, "kid": self.auth.kid}
        return f"{part(header)}.{part({name: claims[name] for name in ('sub', 'iat', 'exp') if claims[name]})}"

    def plugin_token(
        self, plugin: str = "search", *, header: Mapping[str, object] | None = None, **claims: object
    ) -> str:
        """Return a token with which a plugin calls another one. A claim that is None is left out."""
        now = int(time.time())
        whole = {"sub": plugin, "aud": "techdocs", "iat": now, "exp": now + 3600} | claims
        whole = {name: value for name, value in whole.items() if value is not None}
        issuer = self.plugins.get(plugin) or self.plugins["search"]
        return issuer.sign({"typ": "vnd.backstage.plugin", **(header or {})}, whole)


@contextmanager
def backstage() -> Iterator[Backstage]:
    """Run a backend with the plugins auth, search and catalog until the context ends."""
    with web_server() as web:
        found = Backstage(web, plugins={"search": Issuer(), "catalog": Issuer()})
        found.publish()
        yield found
