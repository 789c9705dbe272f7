"""Calls to the API of Backstage's catalog: bounded in time, size and number."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

# A page of references and an entity are far smaller; one with thousands of relations is about a megabyte.
MAX_BYTES = 2 * 1024 * 1024
DEADLINE_SECONDS = 5.0
"""For one call, waiting for its turn included."""
CALLS_AT_ONCE = 16
_MEDIA_TYPE = "application/json"
# Node.js closes a connection that was idle for five seconds; one that is used while it closes answers nothing.
_KEPT_SECONDS = 4.0


class CatalogFailed(Exception):
    """The catalog gave no usable answer. ``problem`` may be shown to anybody, ``detail`` is for the operator's log."""

    def __init__(self, problem: str, detail: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.detail = detail or problem


@dataclass(frozen=True, slots=True)
class CatalogAnswer:
    """A status, and the JSON value that came with status 200, None with others."""

    status: int
    value: object
    size_bytes: int


class BackstageCatalogClient:
    """Gets JSON from the catalog. Follows no redirects, uses no proxies, takes no encodings, keeps no cookies."""

    def __init__(self, base_url: str, *, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        """``base_url`` is that of the plugin, such as ``http://127.0.0.1:7007/api/catalog``."""
        self._base_url = base_url.rstrip("/")
        self._deadline_seconds = deadline_seconds
        self._turns = asyncio.Semaphore(CALLS_AT_ONCE)
        self._client = httpx.AsyncClient(
            follow_redirects=False,
            trust_env=False,
            # The deadline below bounds the whole; this one is for a socket that says nothing.
            timeout=deadline_seconds,
            # The system's authorities, or those of SSL_CERT_FILE.
            verify=ssl.create_default_context(),
            limits=httpx.Limits(max_connections=CALLS_AT_ONCE, keepalive_expiry=_KEPT_SECONDS),
            # A few compressed bytes can be any number of plain ones, so the answer comes plain or not at all.
            headers={"accept": _MEDIA_TYPE, "accept-encoding": "identity"},
            # A cookie that an answer sets would go out with another caller's request.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )

    async def close(self) -> None:
        """Close the connections. Not usable afterwards."""
        await self._client.aclose()

    async def get(self, path: str, token: str, parameters: Mapping[str, str] | None = None) -> CatalogAnswer:
        """Return the answer to one GET. Raises `CatalogFailed` when there is none that can be read."""
        request = self._client.build_request(
            "GET", self._base_url + path, params=parameters, headers={"authorization": f"Bearer {token}"}
        )
        try:
            async with asyncio.timeout(self._deadline_seconds), self._turns:
                return await self._answer(request)
        except TimeoutError as error:
            raise CatalogFailed(f"it did not answer within {self._deadline_seconds:g} seconds") from error
        except httpx.TimeoutException as error:
            raise CatalogFailed("it did not answer in time", type(error).__name__) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise CatalogFailed("it cannot be reached", f"{type(error).__name__}: {error}") from error

    async def _answer(self, request: httpx.Request) -> CatalogAnswer:
        response = await self._sent(request)
        try:
            if response.status_code != httpx.codes.OK:
                return CatalogAnswer(response.status_code, None, 0)
            content = await _content(response)
        finally:
            await response.aclose()
        return CatalogAnswer(httpx.codes.OK, _value(content), len(content))

    async def _sent(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and once more when the connection ended before a word of the answer: a GET may be repeated."""
        try:
            return await self._client.send(request, stream=True)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            return await self._client.send(request, stream=True)


async def _content(response: httpx.Response) -> bytes:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _MEDIA_TYPE:
        raise CatalogFailed("its answer is not JSON", f"content-type {kind[:100]!r}")
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise CatalogFailed("its answer is encoded", "content-encoding was not asked for")
    content = bytearray()
    async for part in response.aiter_raw():
        content += part
        if len(content) > MAX_BYTES:
            raise CatalogFailed(f"its answer is larger than {MAX_BYTES} bytes")
    return bytes(content)


def _value(content: bytes) -> object:
    try:
        value: object = json.loads(content, parse_constant=_refuse)
        if b"\\u" in content:
            # Half a surrogate pair is JSON and no text: it could not be passed on.
            json.dumps(value, ensure_ascii=False).encode()
    # RecursionError: brackets without end. UnicodeError is a ValueError.
    except (ValueError, RecursionError) as error:
        raise CatalogFailed("its answer is not JSON", type(error).__name__) from error
    return value


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is not JSON")
