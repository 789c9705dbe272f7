"""One origin with a Backstage app on it, as its backend and the proxy in front of it make it.

The app's own files, a catalog of the entities that a test names, and the search plugin's endpoint over our search
indexes are answered here; ``/api/techdocs`` is handed to the bridge as it came, with its Host. Where there is a
Backstage backend, entities are asked of it.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.browser.search_plugin import search_results

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Backstage</title>
<link rel="stylesheet" href="/app.css"></head><body><div id="root"></div><script src="/app.js"></script></body></html>"""

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade"})
_READ_SECONDS = 120.0

Entity = Mapping[str, Any]


@dataclass(frozen=True)
class HandedOn:
    """One request to the bridge, and what it was answered with."""

    path: str
    authorization: str
    cookie: str
    status: int


@dataclass
class Portal:
    """What a test may look at and change: the entities by reference, and the requests that were handed on."""

    origin: str
    bridge: str
    app: Path
    entities: dict[str, Entity]
    backend: str = ""
    """URL of a Backstage backend, or empty."""
    user: str = "user:default/guest"
    token: str = ""
    """What the app's user has, or empty for nothing."""
    search_token: str = ""
    """What the search plugin has."""
    config: dict[str, Any] = field(default_factory=dict)
    """More of the app's configuration."""
    handed_on: list[HandedOn] = field(default_factory=list)

    def asgi(self, client: httpx.AsyncClient) -> Starlette:
        """Return the application. ``client`` is what it asks others with."""
        return Starlette(routes=[*self._backend_routes(client), *self._app_routes()])

    def _backend_routes(self, client: httpx.AsyncClient) -> Sequence[Route]:
        async def hand_on(request: Request) -> Response:
            answer = await _handed_on(client, request, self.bridge)
            authorization, cookie = (request.headers.get(name, "") for name in ("authorization", "cookie"))
            self.handed_on.append(HandedOn(request.url.path, authorization, cookie, answer.status_code))
            return answer

        async def entity(request: Request) -> Response:
            if self.backend:
                return await _handed_on(client, request, self.backend)
            kind, namespace, name = (request.path_params[part] for part in ("kind", "namespace", "name"))
            found = self.entities.get(f"{kind}:{namespace}/{name}".lower())
            if found is None:
                error = {"name": "NotFoundError", "message": "No such entity"}
                return JSONResponse({"error": error, "request": {}, "response": {"statusCode": 404}}, 404)
            return JSONResponse(found)

        async def entities_by_refs(request: Request) -> Response:
            refs = (await request.json())["entityRefs"]
            return JSONResponse({"items": [self.entities.get(ref.lower()) for ref in refs]})

        async def search(request: Request) -> Response:
            asked = search_results(client, f"{self.bridge}/api/techdocs", request.query_params, token=self.search_token)
            return JSONResponse(await asked)

        return (
            Route("/api/techdocs/{path:path}", hand_on, methods=["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]),
            Route("/api/catalog/entities/by-name/{kind}/{namespace}/{name}", entity),
            Route("/api/catalog/entities/by-refs", entities_by_refs, methods=["POST"]),
            Route("/api/search/query", search),
        )

    def _app_routes(self) -> Sequence[Route]:
        async def config(request: Request) -> Response:
            base = {"app": {"title": "Portal", "baseUrl": self.origin}, "backend": {"baseUrl": self.origin}}
            return JSONResponse(base | self.config)

        async def signed_in(request: Request) -> Response:
            return JSONResponse({"userEntityRef": self.user, "token": self.token})

        async def file(request: Request) -> Response:
            return FileResponse(self.app / request.url.path.removeprefix("/"))

        async def page(request: Request) -> Response:
            return HTMLResponse(_PAGE)

        return (
            Route("/app-config.json", config),
            Route("/signed-in.json", signed_in),
            Route("/app.js", file),
            Route("/app.css", file),
            Route("/{path:path}", page),
        )


@asynccontextmanager
async def portal(
    bridge: str, app: Path, entities: Sequence[Entity] = (), *, port: int = 0, backend: str = ""
) -> AsyncIterator[Portal]:
    """Serve the app, the bridge at that URL behind it, on loopback until the context ends; port 0 takes a free one."""
    listener = socket.create_server(("127.0.0.1", port))
    # By name, as browsers of people have it; cookies have a domain then.
    served = Portal(
        f"http://localhost:{listener.getsockname()[1]}", bridge, app, {_ref(e): e for e in entities}, backend
    )
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=_READ_SECONDS, limits=limits) as client:
        config = uvicorn.Config(served.asgi(client), log_config=None, lifespan="off", timeout_graceful_shutdown=1)
        server = _Server(config)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield served
        finally:
            server.should_exit = True
            await running
            listener.close()


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the tests."""
        yield


async def _handed_on(client: httpx.AsyncClient, request: Request, to: str) -> Response:
    path = request.scope["raw_path"].decode() + (f"?{request.url.query}" if request.url.query else "")
    headers = [(k, v) for k, v in request.headers.raw if k.decode() not in _HOP_BY_HOP]
    asked = client.build_request(request.method, f"{to}{path}", headers=headers, content=await request.body())
    answer = await client.send(asked, stream=True)
    handed = StreamingResponse(_body(answer), answer.status_code)
    handed.raw_headers = [(k, v) for k, v in answer.headers.raw if k.lower().decode() not in _HOP_BY_HOP]
    return handed


async def _body(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for part in answer.aiter_raw():
            yield part
    finally:
        await answer.aclose()


def _ref(entity: Entity) -> str:
    metadata = entity["metadata"]
    return f"{entity['kind']}:{metadata.get('namespace', 'default')}/{metadata['name']}".lower()


def served_entity(document: Entity, **metadata: object) -> Entity:
    """Return an entity as a catalog serves it: with its namespace and uid, which authors leave out."""
    made: Entity = json.loads(json.dumps(document))
    return {
        **made,
        "metadata": {"namespace": "default", "uid": made["metadata"]["name"], **made["metadata"], **metadata},
    }
