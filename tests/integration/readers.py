"""Readers that poll a site as fast as it answers and note what they saw."""

from __future__ import annotations

import asyncio
import hashlib
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle

import grpc
import httpx
from techdocs.v1 import docs_pb2, entity_pb2

from tests.support.rpc_client import Client, collected


class Moves:
    """What the writer does to the site: every revision it made current, in order.

    A move is begun before its request is sent and settled after its answer came, so
    a read sees a revision between what was settled when it began and what was begun
    when it ended.
    """

    def __init__(self) -> None:
        self.revisions: list[str] = []
        self.settled = -1

    @property
    def begun(self) -> int:
        return len(self.revisions) - 1

    async def make(self, change: Callable[[], Awaitable[str]]) -> str:
        """Make a change that returns the revision that is current after it."""
        self.revisions.append("not known yet")
        revision = await change()
        self.revisions[-1] = revision
        self.settled = self.begun
        return revision


@dataclass(frozen=True, slots=True)
class Sight:
    """What one read saw, and the moves between which it may have happened."""

    path: str
    revision: str
    sha256: str
    earliest: int
    latest: int


@dataclass
class Reader:
    """Reads paths in turn, one after the other. ``revision`` pins it; ``pace_seconds`` is how long it pauses between two reads."""

    paths: Sequence[str]
    moves: Moves
    revision: str = ""
    sights: list[Sight] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    pace_seconds: float = field(default=0.0, kw_only=True)
    _stopped: bool = False

    async def run(self) -> None:
        """Read until `stop`. Whatever goes wrong is a failure and never an end."""
        for path in self._turns():
            if self.pace_seconds:
                await asyncio.sleep(self.pace_seconds)
            earliest = self.moves.settled
            try:
                revision, digest = await self.read(path)
            except (grpc.aio.AioRpcError, httpx.HTTPError, AssertionError) as error:
                self.failures.append(f"{path}: {error!r}")
                continue
            self.sights.append(Sight(path, revision, digest, earliest, self.moves.begun))

    def stop(self) -> None:
        """End after the read that is being made."""
        self._stopped = True

    def _turns(self) -> Iterator[str]:
        for path in cycle(self.paths):
            if self._stopped:
                return
            yield path

    @abstractmethod
    async def read(self, path: str) -> tuple[str, str]:
        """Read one path; return the revision that the answer names and the digest of its bytes."""


@dataclass
class RESTReader(Reader):
    """Reads pages over a connection that is kept alive, as a browser does: what it holds it asks for conditionally."""

    client: httpx.AsyncClient = field(kw_only=True)
    base: str = field(kw_only=True)
    conditional: bool = False
    _held: dict[str, tuple[str, str]] = field(default_factory=dict)

    async def read(self, path: str) -> tuple[str, str]:
        etag, digest = self._held.get(path, ("", ""))
        headers = {"if-none-match": etag} if etag and self.conditional else {}
        query = {"revision": self.revision} if self.revision else {}
        answer = await self.client.get(f"{self.base}/{path}", headers=headers, params=query)
        assert answer.status_code in ((200, 304) if headers else (200,)), f"{answer.status_code} {answer.text}"
        if answer.status_code == 200:
            digest = hashlib.sha256(answer.content).hexdigest()
            self._held[path] = (answer.headers["etag"], digest)
        return answer.headers["x-techdocs-revision"], digest


@dataclass
class UnaryReader(Reader):
    """Reads by GetContent."""

    client: Client = field(kw_only=True)
    entity: entity_pb2.EntityRef = field(kw_only=True)

    async def read(self, path: str) -> tuple[str, str]:
        request = docs_pb2.GetContentRequest(entity=self.entity, path=path, revision=self.revision)
        answer = await self.client.docs.GetContent(request)
        assert not answer.data_omitted
        return answer.info.revision, hashlib.sha256(answer.body.data).hexdigest()


@dataclass
class StreamReader(Reader):
    """Reads by ReadContent."""

    client: Client = field(kw_only=True)
    entity: entity_pb2.EntityRef = field(kw_only=True)

    async def read(self, path: str) -> tuple[str, str]:
        request = docs_pb2.ReadContentRequest(entity=self.entity, path=path, revision=self.revision)
        first, *rest = await collected(self.client.docs.ReadContent(request))
        data = b"".join(message.body.data for message in (first, *rest))
        return first.info.revision, hashlib.sha256(data).hexdigest()
