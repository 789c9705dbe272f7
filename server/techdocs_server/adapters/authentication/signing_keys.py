"""The keys that this service signs with: made once for all its processes, replaced by age, published long enough.

Every key is ES256, which is what Backstage's plugins take by default. A key is published before it signs, so that
whoever holds an older key set is not met by a key it cannot know. And it signs only while what it signs ends before it
leaves the key set. Where no key is both, as at the very first start and after weeks without a call, the newest signs at
once: it stays published, and Backstage fetches key sets anew for keys that it does not know.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.ports.clock import Clock
from techdocs_server.ports.signing_keys import SigningKeyRecords, StoredSigningKey

ALGORITHM = "ES256"
LIFE = timedelta(days=7)
"""How old the newest key is when the next one is made."""
PUBLISHED = 3 * LIFE
"""How long a key is in the key set. Backstage's own service publishes its keys for three times their life as well."""
AHEAD = timedelta(hours=1)
"""How long a key is published before it signs. Key sets are kept for minutes, in Backstage and here."""
TOKEN_LIFE = timedelta(hours=1)
"""How long what a key signs is good at most."""
_SIGNS_UNTIL = PUBLISHED - TOKEN_LIFE - AHEAD
"""The age from which a key signs no more. An hour is kept back for clocks and for key sets on their way."""
_FRESH = timedelta(seconds=10)
"""How long what the records said is believed. The key set is open to everybody and must not be a way to load them."""
_RACES = 5


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key to sign with."""

    kid: str
    private_key: ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class _Read:
    """What the records had, and when."""

    keys: tuple[StoredSigningKey, ...]
    at: datetime


class SigningKeys:
    """Keys over records. May be used by any number of processes over the same records."""

    def __init__(self, records: SigningKeyRecords, clock: Clock) -> None:
        self._records = records
        self._clock = clock
        self._read: _Read | None = None
        self._parsed: dict[str, SigningKey] = {}
        self._turn = asyncio.Lock()

    async def current(self) -> SigningKey:
        """Return the key to sign with now, after making one if there is none or the newest is old.

        Raises `StorageUnavailable`.
        """
        keys = await self._keys()
        now = self._clock.now()
        if not keys or now - keys[-1].create_time >= LIFE:
            keys = await self._rotated()
        usable = [key for key in keys if AHEAD <= now - key.create_time < _SIGNS_UNTIL]
        return self._signing(usable[-1] if usable else keys[-1])

    async def key_set(self) -> bytes:
        """See `PublishedKeys`."""
        oldest = self._clock.now() - PUBLISHED
        public = [_jwk(self._signing(key)) for key in await self._keys() if key.create_time >= oldest]
        return json.dumps({"keys": public}, separators=(",", ":")).encode()

    async def _keys(self) -> tuple[StoredSigningKey, ...]:
        read, now = self._read, self._clock.now()
        # That there are none is never kept: the first key may be in use elsewhere already.
        if read is not None and read.keys and now - read.at < _FRESH:
            return read.keys
        keys = tuple(await self._records.keys())
        self._read = _Read(keys, now)
        return keys

    async def _rotated(self) -> tuple[StoredSigningKey, ...]:
        async with self._turn:
            for _ in range(_RACES):
                now = self._clock.now()
                keys = tuple(await self._records.keys())
                self._read = _Read(keys, now)
                if keys and now - keys[-1].create_time < LIFE:
                    return keys
                await self._records.add(_new_key(keys[-1].number + 1 if keys else 1, now))
                await self._records.forget(before=now - PUBLISHED)
        raise StorageUnavailable("the signing keys change all the time")

    def _signing(self, stored: StoredSigningKey) -> SigningKey:
        found = self._parsed.get(stored.kid)
        if found is None:
            found = SigningKey(stored.kid, _private_key(stored))
            self._parsed = {**{kid: key for kid, key in self._parsed.items() if self._is_kept(kid)}, stored.kid: found}
        return found

    def _is_kept(self, kid: str) -> bool:
        return self._read is not None and any(key.kid == kid for key in self._read.keys)


def _new_key(number: int, now: datetime) -> StoredSigningKey:
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return StoredSigningKey(number, str(uuid.uuid4()), pem.decode("ascii"), now)


def _private_key(stored: StoredSigningKey) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(stored.private_key.encode(), password=None)
    except ValueError as error:
        # Neither the text nor what the library says of it: both may hold parts of the key.
        raise StorageUnavailable(f"the signing key {stored.kid} is damaged") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise StorageUnavailable(f"the signing key {stored.kid} is not one of this service")
    return key


def _jwk(key: SigningKey) -> dict[str, object]:
    public = ECAlgorithm.to_jwk(key.private_key.public_key(), as_dict=True)
    return {**public, "kid": key.kid, "alg": ALGORITHM, "use": "sig"}
