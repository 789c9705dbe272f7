"""Reading a JSON Web Token, before anything of it is believed (RFC 7515, section 3.1; RFC 7519)."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_TOKEN_CHARACTERS = 12 * 1024
"""gRPC takes 16 KiB of metadata. A user token of Backstage is 1 KB, and more with many groups in it."""

_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_MAX_KID_CHARACTERS = 256
# Every whole number of so many digits is a finite double, which is what JavaScript reads it as.
_MAX_DIGITS = 300


@dataclass(frozen=True, slots=True)
class Token:
    """The parts of a token. Nothing of it is proven; it says where to look for the key."""

    text: str = field(repr=False)
    header: Mapping[str, object]
    claims: Mapping[str, object] = field(repr=False)
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Token | None:
        """Return the parts of a token, None for what is not one that could be verified.

        Names that occur twice, critical extensions (nobody here knows any), unencoded payloads, numbers that are
        none or beyond those of a double, and text that is not Unicode are refused: two readers might take them for
        different things. So whatever reads the parts meets no number and no text that cannot be converted.
        """
        found = _COMPACT.fullmatch(text) if len(text) <= MAX_TOKEN_CHARACTERS else None
        if found is None:
            return None
        try:
            header, claims = _object(found[1]), _object(found[2])
            signature = _decoded(found[3])
        except (ValueError, RecursionError):
            return None
        if "crit" in header or "b64" in header or not isinstance(header.get("alg"), str):
            return None
        kid = header.get("kid", "")
        if not isinstance(kid, str) or len(kid) > _MAX_KID_CHARACTERS:
            return None
        return cls(text, header, claims, f"{found[1]}.{found[2]}".encode(), signature)

    @property
    def algorithm(self) -> str:
        """What the token says it is signed with."""
        return str(self.header["alg"])

    @property
    def kid(self) -> str:
        """The id of its key, empty for none."""
        return str(self.header.get("kid", ""))

    @property
    def type(self) -> str:
        """The media type without ``application/`` (RFC 7515, section 4.1.9), empty for none."""
        typ = self.header.get("typ", "")
        return typ.removeprefix("application/") if isinstance(typ, str) else "?"

    @property
    def issued_at(self) -> float:
        """When it says it was made, in seconds since 1970; 0 when it does not say."""
        value = self.claims.get("iat")
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0

    def is_for(self, audiences: frozenset[str]) -> bool:
        """Whether one of its audiences is one of these."""
        named = self.claims.get("aud")
        values = named if isinstance(named, list) else [named]
        return any(isinstance(value, str) and value in audiences for value in values)


def encoded(content: bytes) -> str:
    """Return bytes in base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def _decoded(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError("not base64url") from error


def _object(text: str) -> dict[str, object]:
    content = _decoded(text).decode("utf-8")
    value = json.loads(
        content, object_pairs_hook=_unique, parse_constant=_refuse, parse_int=_whole, parse_float=_finite
    )
    if not isinstance(value, dict):
        raise ValueError("not an object")
    if "\\u" in content:
        # Half a surrogate pair is JSON and no text: encoding it raises a ValueError.
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = dict(pairs)
    if len(names) != len(pairs):
        raise ValueError("a name occurs twice")
    return names


def _whole(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError("a number without end")
    return int(digits)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number beyond all numbers")
    return value


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no number")
