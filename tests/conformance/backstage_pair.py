"""The real TechDocs plugin of Backstage and this service, side by side: same entities, same site, same tokens."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import httpx

from tests.conformance.backstage_answers import differences, facts_of
from tests.conformance.backstage_credentials import credentials
from tests.conformance.backstage_differences import Found
from tests.conformance.backstage_requests import INDEX, Request
from tests.conformance.backstage_site import write_sources
from tests.conformance.raw_http import RawAnswer, framed_exchange
from tests.conformance.raw_http import request as raw_request
from tests.support.backstage.backend import BackstageBackend, backstage_backend, make_keys
from tests.support.backstage.service import InBackstage, in_backstage
from tests.support.published import BUILD_SECONDS, MOUNT
from tests.support.waiting import eventually


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two."""

    url: str
    """Without the mount and without a slash at its end."""
    credentials: Mapping[str, tuple[str, ...]]
    _validators: dict[str, str] = field(default_factory=dict)

    async def answer(self, asked: Request) -> RawAnswer:
        """Send a request and return the answer."""
        headers = self.credentials[asked.credential] + asked.headers
        if any("{" in line for line in asked.headers):
            headers = self.credentials[asked.credential] + tuple([await self._filled(line) for line in asked.headers])
        target = asked.target if asked.is_at_root else f"{MOUNT}{asked.target}"
        return await self._exchange(raw_request(target, *headers, method=asked.method, body=asked.body))

    async def _filled(self, line: str) -> str:
        if not self._validators:
            answer = await self._exchange(raw_request(f"{MOUNT}{INDEX}", *self.credentials["user"]))
            # Where there is none, a value that matches nothing.
            self._validators["{etag}"] = answer.header("etag") or '"none"'
            self._validators["{modified}"] = answer.header("last-modified") or "Mon, 01 Jan 2001 00:00:00 GMT"
        for name, value in self._validators.items():
            # An entity tag is made weak in one way, whatever it is.
            line = line.replace(f"W/{name}", f"W/{value.removeprefix('W/')}").replace(name, value)
        return line

    async def _exchange(self, sent: bytes) -> RawAnswer:
        url = httpx.URL(self.url)
        return await framed_exchange((url.host, url.port or 80), sent)


@dataclass(frozen=True, slots=True)
class Pair:
    """Both, with the Backstage that this service belongs to."""

    theirs: Side
    ours: Side
    oracle: BackstageBackend
    placed: InBackstage


@asynccontextmanager
async def backstage_pair(
    folder: Path,
    *,
    theirs: Mapping[str, object] | None = None,
    checks_permission: bool = False,
    ours: Mapping[str, object] | None = None,
    published: Sequence[str] = ("demo", "other", "hidden"),
) -> AsyncIterator[Pair]:
    """Run both until the context ends, with some sites published.

    ``theirs`` is more of the plugin's configuration and ``checks_permission`` its
    ``permission.enabled``; ``ours`` are more of our settings.
    """
    sources = folder / "sources"
    entities = write_sources(sources)
    keys = make_keys(folder / "keys")
    async with (
        backstage_backend(
            folder / "oracle", entities, keys=keys, techdocs=theirs, checks_permission=checks_permission
        ) as oracle,
        in_backstage(folder, entities=entities, sources=sources, keys=keys, settings=ours) as placed,
    ):
        known = await credentials(placed.home)
        pair = Pair(Side(oracle.url, known), Side(placed.service.rest, known), oracle, placed)
        for name in published:
            await _publish(name, pair)
        yield pair


async def unlike(pair: Pair, requests: Sequence[Request]) -> Found:
    """Send requests to both, and return by name each fact that the answers differ in, with their value and ours."""
    found = {}
    for request in requests:
        theirs, ours = await pair.theirs.answer(request), await pair.ours.answer(request)
        found[request.name] = list(differences(facts_of(theirs), facts_of(ours)))
    return found


async def _publish(name: str, pair: Pair) -> None:
    """Have this service build a site, and put what it serves into the folder that the plugin serves from."""
    headers = dict([pair.ours.credentials["plugin"][0].split(": ", 1)])
    async with httpx.AsyncClient(base_url=pair.placed.techdocs, headers=headers, timeout=BUILD_SECONDS) as client:
        said = await client.get(f"/sync/default/component/{name}")
        assert '{"updated":true}' in said.text.replace(" ", ""), f"{said.text}\n{pair.placed.service.logged()}"
        site = f"/static/docs/default/component/{name}"
        # In the second of its publication a page has no Last-Modified: it may change again within it.
        built = time.time()
        await eventually(lambda: time.time() > built + 1, what=f"the site of {name} is a second old")
        listed = (await client.get(f"{site}/techdocs_metadata.json")).raise_for_status().json()["files"]
        for path in listed:
            content = (await client.get(f"{site}/{quote(path)}")).raise_for_status().content
            file = pair.oracle.published / "default/component" / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
