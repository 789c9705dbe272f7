"""Public keys, and what each may verify."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import PyJWTError

from techdocs_server.adapters.authentication.tokens import Token

RSA_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
# A curve has one algorithm: a signature by another one is a mistake or an attempt.
_CURVE_ALGORITHMS = {
    ("EC", "P-256"): "ES256",
    ("EC", "P-384"): "ES384",
    ("EC", "P-521"): "ES512",
    ("OKP", "Ed25519"): "EdDSA",
    ("OKP", "Ed448"): "EdDSA",
}
# jose, which Backstage verifies with, takes no shorter ones. The upper bound keeps one check from taking long.
_RSA_BITS = range(2048, 8193)
_MOST_KEYS = 100
_READERS: Mapping[str, Callable[[dict[str, Any]], object]] = {
    "EC": ECAlgorithm.from_jwk,
    "OKP": OKPAlgorithm.from_jwk,
    "RSA": RSAAlgorithm.from_jwk,
}


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key and the algorithms it may be used with. None of them has a shared secret."""

    kid: str
    algorithms: frozenset[str]
    public_key: object

    def verifies(self, token: Token) -> bool:
        """Whether the signature of a token is one of this key, by the algorithm the token names."""
        if token.algorithm not in self.algorithms:
            return False
        algorithm = jwt.get_algorithm_by_name(token.algorithm)
        try:
            return algorithm.verify(token.signed, cast("Any", self.public_key), token.signature)
        except (PyJWTError, ValueError, TypeError):
            return False


def parse_key_set(content: bytes) -> tuple[VerificationKey, ...]:
    """Return the keys of a key set (RFC 7517, section 5) that can verify; others are left out, as the RFC says.

    Raises `ValueError` for what is no key set, or one of too many keys.
    """
    try:
        document = json.loads(content)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list):
        raise ValueError("not a key set")
    if len(keys) > _MOST_KEYS:
        raise ValueError("too many keys")
    found = (_key(key) for key in keys if isinstance(key, dict))
    return tuple(key for key in found if key is not None)


def _key(jwk: Mapping[str, object]) -> VerificationKey | None:
    algorithms, kid = _algorithms(jwk), jwk.get("kid", "")
    # One that shows its private half is nobody's secret any more.
    if not algorithms or not isinstance(kid, str) or "d" in jwk or not _is_for_signatures(jwk):
        return None
    try:
        key = _READERS[str(jwk["kty"])](dict(jwk))
    except (PyJWTError, ValueError, TypeError, KeyError, AttributeError):
        return None
    if isinstance(key, RSAPublicKey) and key.key_size not in _RSA_BITS:
        return None
    return VerificationKey(kid, algorithms, key)


def _algorithms(jwk: Mapping[str, object]) -> frozenset[str]:
    """Return what the key declares, if it is an algorithm of its kind; all of its kind when it declares nothing."""
    fitting = _fitting(jwk)
    declared = jwk.get("alg")
    if declared is None:
        return fitting
    return fitting & {declared} if isinstance(declared, str) else frozenset()


def _fitting(jwk: Mapping[str, object]) -> frozenset[str]:
    if jwk.get("kty") == "RSA":
        return RSA_ALGORITHMS
    found = _CURVE_ALGORITHMS.get((str(jwk.get("kty")), str(jwk.get("crv"))))
    return frozenset({found}) if found else frozenset()


def _is_for_signatures(jwk: Mapping[str, object]) -> bool:
    operations = jwk.get("key_ops", ["verify"])
    return jwk.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations
