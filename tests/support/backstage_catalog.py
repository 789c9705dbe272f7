"""A catalog that speaks Backstage's API over real HTTP, checks the tokens of its callers, and does wrong when told to.

Source of the API: @backstage/plugin-catalog-backend, createRouter; of the tokens: @backstage/backend-defaults, auth.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.http_serving import LoopbackServer, served

_BASE = "/api/catalog"
_LIMITED_USER = "vnd.backstage.limited-user"


@dataclass
class Wrong:
    """What comes instead of an answer. With ``stall`` the connection says nothing after ``content``."""

    status: int = 200
    content: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json; charset=utf-8"})
    length: int | None = None
    stall: bool = False


@dataclass(frozen=True)
class Call:
    """One request that came: the path below the plugin, the query, and for whom it was made, empty for the plugin."""

    path: str
    query: Mapping[str, str]
    user: str


@dataclass
class BackstageCatalogServer:
    """What tests fill and look at.

    ``key_set`` gives the public keys of the plugin that calls, as JSON. ``hidden`` are
    pairs of an entity and a user who may not see it. ``wrong`` answers every call by a
    path that begins with its key; while ``gate`` is not set, calls wait. The next
    ``drops`` calls end without an answer.
    """

    port: int = 0
    key_set: Callable[[], bytes] = lambda: b'{"keys": []}'
    entities: dict[str, Mapping[str, object]] = field(default_factory=dict)
    hidden: set[tuple[str, str]] = field(default_factory=set)
    wrong: dict[str, Wrong] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    cookies: list[str] = field(default_factory=list)
    page: int = 500
    gate: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    user_key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    drops: int = 0
    most_at_once: int = 0
    _at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def backend(self) -> str:
        """Base URL of the backend."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Base URL of the plugin."""
        return self.backend + _BASE

    def put(self, document: Mapping[str, object]) -> None:
        """Add an entity, or replace the one with its reference."""
        self.entities[_name_of(document)] = document

    def proof_of(self, user: str, *, ends: int = 4_000_000_000) -> str:
        """Return the limited token of a user, as Backstage's auth plugin would sign it."""
        claims = {"sub": user, "iat": 1, "exp": ends}
        return jwt.encode(claims, self.user_key, algorithm="ES256", headers={"typ": _LIMITED_USER})

    def user_of(self, authorization: str) -> str:
        """Return for whom a call is made, empty for the plugin itself. Raises `jwt.PyJWTError` for a bad token."""
        token = authorization.removeprefix("Bearer ")
        header = jwt.get_unverified_header(token)
        keys = {str(key.key_id): key for key in jwt.PyJWKSet.from_json(self.key_set().decode()).keys}
        if header.get("typ") != "vnd.backstage.plugin" or header.get("kid") not in keys:
            raise jwt.InvalidTokenError("not of a plugin that is known")
        claims = jwt.decode(token, keys[header["kid"]], algorithms=["ES256"], audience="catalog")
        if claims["sub"] != "techdocs":
            raise jwt.InvalidTokenError("not of the plugin techdocs")
        if "obo" not in claims:
            return ""
        user = jwt.decode(claims["obo"], self.user_key.public_key(), algorithms=["ES256"])
        return str(user["sub"])

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count a call while it is answered."""
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            yield
        finally:
            with self._lock:
                self._at_once -= 1


@contextmanager
def backstage_catalog() -> Iterator[BackstageCatalogServer]:
    """Serve a catalog on loopback until the context ends."""
    server = _Server()
    seen = server.seen
    seen.gate.set()
    with served(server, seen.released):
        try:
            yield seen
        finally:
            seen.gate.set()


def document(
    name: str, *, kind: str = "Component", namespace: str = "default", **metadata: object
) -> dict[str, object]:
    """Return an entity as a catalog gives it. Annotations are those given, ``techdocs-ref`` in short."""
    annotations = {
        "backstage.io/managed-by-location": "url:https://github.com/example/repo/blob/main/catalog-info.yaml",
        "backstage.io/techdocs-ref": "dir:.",
    }
    given = metadata.pop("annotations", {})
    assert isinstance(given, Mapping)
    annotations = {key: value for key, value in {**annotations, **given}.items() if value is not None}
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{name}",
            **metadata,
            "annotations": annotations,
        },
        "spec": {"type": "service", "owner": "team-a", "lifecycle": "production"},
        "relations": [{"type": "ownedBy", "targetRef": "group:default/team-a"}],
    }


def _name_of(document: Mapping[str, object]) -> str:
    metadata = document["metadata"]
    assert isinstance(metadata, Mapping)
    return f"{document['kind']}/{metadata.get('namespace', 'default')}/{metadata['name']}".lower()


class _Server(LoopbackServer):
    def __init__(self) -> None:
        super().__init__(_Handler)
        self.seen = BackstageCatalogServer(self.server_port)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        assert isinstance(self.server, _Server)
        seen = self.server.seen
        with seen.counted():
            self._answer(seen)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        pass

    def _answer(self, seen: BackstageCatalogServer) -> None:
        address = urlsplit(self.path)
        path = address.path.removeprefix(_BASE)
        query = {name: values[-1] for name, values in parse_qs(address.query).items()}
        try:
            user = seen.user_of(self.headers.get("Authorization", ""))
        except (jwt.PyJWTError, KeyError):
            self._problem(401, "AuthenticationError", "Illegal token")
            return
        seen.calls.append(Call(path, query, user))
        seen.cookies.append(self.headers.get("Cookie", ""))
        seen.gate.wait(60)
        if seen.drops > 0:
            seen.drops -= 1
            self.close_connection = True
            return
        wrong = next((wrong for start, wrong in seen.wrong.items() if path.startswith(start)), None)
        if wrong is not None:
            self._send(wrong)
            if wrong.stall:
                self.wfile.flush()
                seen.released.wait(60)
                self.close_connection = True
        elif path == "/entities/by-query":
            self._json(_listed(seen, query, user))
        else:
            found = seen.entities.get(path.removeprefix("/entities/by-name/"))
            if found is None or (path.removeprefix("/entities/by-name/"), user) in seen.hidden:
                self._problem(404, "NotFoundError", f"No entity at {path}")
            else:
                self._json(found)

    def _json(self, value: object) -> None:
        self._send(Wrong(content=json.dumps(value).encode()))

    def _problem(self, status: int, name: str, message: str) -> None:
        body = {"error": {"name": name, "message": message}, "response": {"statusCode": status}}
        self._send(Wrong(status, json.dumps(body).encode()))

    def _send(self, answer: Wrong) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if "Transfer-Encoding" not in answer.headers:
            self.send_header("Content-Length", str(len(answer.content) if answer.length is None else answer.length))
        self.end_headers()
        self.wfile.write(answer.content)
        if answer.length is not None and not answer.stall:
            self.close_connection = True


def _listed(seen: BackstageCatalogServer, query: Mapping[str, str], user: str) -> object:
    """Answer as ``queryEntities`` does: the cursor holds all that the first request asked for."""
    if "cursor" in query:
        cursor = json.loads(base64.b64decode(query["cursor"]))
        key, start = cursor["filter"], cursor["start"]
    else:
        key, start = query["filter"].removeprefix("metadata.annotations."), 0
    found = [
        entity
        for name, entity in sorted(seen.entities.items())
        if _has(entity, key) and (name, user) not in seen.hidden
    ]
    end = start + min(seen.page, int(query["limit"]))
    following = base64.b64encode(json.dumps({"filter": key, "start": end}).encode()).decode()
    return {
        "items": [_fields(entity) for entity in found[start:end]],
        "totalItems": len(found),
        "pageInfo": {"nextCursor": following} if end < len(found) else {},
    }


def _has(entity: Mapping[str, object], annotation: str) -> bool:
    metadata = entity["metadata"]
    assert isinstance(metadata, Mapping)
    annotations = metadata.get("annotations", {})
    assert isinstance(annotations, Mapping)
    return annotation in annotations


def _fields(entity: Mapping[str, object]) -> object:
    metadata = entity["metadata"]
    assert isinstance(metadata, Mapping)
    return {
        "kind": entity["kind"],
        "metadata": {key: metadata[key] for key in ("name", "namespace") if key in metadata},
    }
