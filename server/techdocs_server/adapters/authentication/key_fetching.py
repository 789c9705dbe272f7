"""Fetching key sets over HTTP."""

from __future__ import annotations

import asyncio
import ssl
from types import TracebackType
from typing import Self

import httpx

from techdocs_server.adapters.authentication.verification_keys import VerificationKey, parse_key_set

_SECONDS = 5.0
_MAX_BYTES = 256 * 1024
_CONNECTIONS = 8
_OK, _NOT_FOUND = 200, 404


class KeysUnavailable(Exception):
    """A key set cannot be had now. The text is for the log, and names no address."""


class KeyFetcher:
    """Gets key sets: no redirects, no proxies, bounds on time, size and connections."""

    def __init__(self, *, timeout_seconds: float = _SECONDS) -> None:
        self._timeout_seconds = timeout_seconds
        # The system's authorities, or those of SSL_CERT_FILE.
        self._client = httpx.AsyncClient(
            follow_redirects=False,
            trust_env=False,
            timeout=timeout_seconds,
            verify=ssl.create_default_context(),
            limits=httpx.Limits(max_connections=_CONNECTIONS, keepalive_expiry=60),
            headers={"accept": "application/json, application/jwk-set+json"},
        )

    async def fetch(self, url: str) -> tuple[VerificationKey, ...] | None:
        """Return the keys at an address, None when there is certainly no key set (404). Raises `KeysUnavailable`."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                content = await self._content(url)
        except TimeoutError as error:
            raise KeysUnavailable("no answer in time") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise KeysUnavailable(type(error).__name__) from error
        if content is None:
            return None
        try:
            return parse_key_set(content)
        except ValueError as error:
            raise KeysUnavailable(f"the answer is no key set: {type(error).__name__}") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _content(self, url: str) -> bytes | None:
        async with self._client.stream("GET", url) as response:
            if response.status_code == _NOT_FOUND:
                return None
            if response.status_code != _OK:
                raise KeysUnavailable(f"answered with {response.status_code}")
            content = b""
            async for part in response.aiter_bytes():
                content += part
                if len(content) > _MAX_BYTES:
                    raise KeysUnavailable("the answer is too large")
            return content
