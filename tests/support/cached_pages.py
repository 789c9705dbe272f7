"""Sites that say of themselves which publish they are, published over and over, and read through a bridge."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
from techdocs.v1 import publish_pb2

from tests.support.publish_messages import header, send, whole
from tests.support.rpc_client import component
from tests.support.services import RunningService
from tests.support.waiting import eventually

PAGES = ("index.html", "other.html")
_NUMBER = re.compile(r"publish (\d+)\.")
_FROZEN_SECONDS = 1.0


def numbered(name: str, number: int) -> Mapping[str, bytes]:
    """Return the files of one publish."""
    return {page: f"<p>{page} of {name}, publish {number}.</p>".encode() for page in PAGES}


async def publish(target: str, name: str, number: int, *, token: str = "") -> publish_pb2.PublishSiteResponse:
    """Publish at a server, and return when its readers get it."""
    return await send(
        target, whole(numbered(name, number), header(component(name), source_etag=str(number))), token=token
    )


def page_url(rest: str, name: str, page: str = "index.html") -> str:
    """Return the address of a page."""
    return f"{rest}/static/docs/default/component/{name}/{page}"


def number_of(answer: httpx.Response) -> int:
    """Return which publish a page is of. Raises `AssertionError` for what is no page."""
    assert answer.status_code == 200, answer.text
    found = _NUMBER.search(answer.text)
    assert found, answer.text
    return int(found[1])


@dataclass
class Poller:
    """A reader that asks for pages of a site, all the time, and remembers what it saw."""

    rest: str
    name: str
    revisions: dict[str, int] = field(default_factory=dict)
    """Which publish each revision was; shared by pollers of a site."""
    newest: int = 0
    reads: int = 0

    async def run(self, until: asyncio.Event) -> None:
        """Read until told to stop. Raises `AssertionError` for a page that is older than one before, or mixed."""
        async with httpx.AsyncClient(timeout=30) as client:
            while not until.is_set():
                await self.look(client)

    async def look(self, client: httpx.AsyncClient) -> None:
        """Read every page once."""
        for page in PAGES:
            answer = await client.get(page_url(self.rest, self.name, page))
            number = number_of(answer)
            assert number >= self.newest, f"{page} of {self.name}: {number} after {self.newest}"
            assert f"{page} of {self.name}" in answer.text
            revision = answer.headers["x-techdocs-revision"]
            assert self.revisions.setdefault(revision, number) == number, "pages of two publishes in one revision"
            self.newest = number
            self.reads += 1


@asynccontextmanager
async def frozen(service: RunningService) -> AsyncIterator[None]:
    """Stop a process as it is, so that it answers nothing, and let it go on in the end."""
    service.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        service.process.send_signal(signal.SIGCONT)


async def answers_by_itself(server: RunningService, read: Callable[[], Awaitable[httpx.Response]]) -> bool:
    """Whether a bridge answers while its server does nothing."""
    await read()
    async with frozen(server):
        try:
            async with asyncio.timeout(_FROZEN_SECONDS):
                answer = await read()
        except TimeoutError:
            return False
    return answer.status_code == 200


async def remembered(server: RunningService, client: httpx.AsyncClient, url: str, **headers: str) -> None:
    """Wait until a bridge answers by itself."""

    async def is_remembered() -> bool:
        return await answers_by_itself(server, lambda: client.get(url, headers=headers))

    await eventually(is_remembered, timeout_seconds=60, what="the bridge answers by itself")
