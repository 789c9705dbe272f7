"""A real git server on loopback: `git http-backend` behind a small HTTP server that tests can make misbehave."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.git_repository import GIT_ENVIRONMENT
from tests.support.http_serving import LoopbackServer, served


@dataclass(frozen=True)
class SeenRequest:
    """One request as it arrived; ``body`` as sent, without what a proxy would take off."""

    method: str
    path: str
    query: str
    body: bytes
    authorization: str
    host: str

    @property
    def lists_refs(self) -> bool:
        """Whether this is the question that `git ls-remote` asks."""
        return b"command=ls-refs" in self.body


@dataclass
class GitServer:
    """What tests turn and look at.

    ``credentials`` are (user, password); ``redirect_to`` answers everything with
    302, ``status`` with that. While ``hang`` is set, requests that need no
    credentials, or bring some, are not answered.
    """

    folder: Path
    port: int
    credentials: tuple[str, str] | None = None
    redirect_to: str = ""
    status: int = 0
    says: bytes = b""
    requests: list[SeenRequest] = field(default_factory=list)
    hang: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    @property
    def ref_lists(self) -> int:
        """How many times somebody asked for the list of refs."""
        return sum(request.lists_refs for request in self.requests)

    @property
    def paths(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.requests]


@contextmanager
def git_server(folder: Path) -> Iterator[GitServer]:
    """Serve every repository below a folder until the context ends."""
    server = _Server(folder)
    seen = server.seen
    with served(server, seen.released):
        yield seen


class _Server(LoopbackServer):
    def __init__(self, folder: Path) -> None:
        super().__init__(_Handler)
        self.seen = GitServer(folder, self.server_port)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self._body())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        pass

    @property
    def _seen(self) -> GitServer:
        assert isinstance(self.server, _Server)
        return self.server.seen

    def _answer(self, body: bytes) -> None:
        seen, parts = self._seen, urlsplit(self.path)
        authorization = self.headers.get("Authorization", "")
        host = self.headers.get("Host", "")
        seen.requests.append(SeenRequest(self.command, parts.path, parts.query, body, authorization, host))
        if seen.hang.is_set() and (seen.credentials is None or authorization):
            seen.released.wait(60)
            self.close_connection = True
        elif seen.redirect_to:
            self._reply(302, {"Location": seen.redirect_to + self.path})
        elif seen.status:
            self._reply(seen.status, {"Content-Type": "text/plain"}, seen.says)
        elif not self._is_welcome(authorization):
            self._reply(401, {"WWW-Authenticate": 'Basic realm="git"', "Content-Type": "text/plain"}, seen.says)
        else:
            self._run_backend(parts.path, parts.query, body)

    def _is_welcome(self, authorization: str) -> bool:
        if self._seen.credentials is None:
            return True
        expected = base64.b64encode(":".join(self._seen.credentials).encode()).decode()
        return authorization == f"Basic {expected}"

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _run_backend(self, path: str, query: str, body: bytes) -> None:
        environment = {
            **GIT_ENVIRONMENT,
            "GIT_PROJECT_ROOT": str(self._seen.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_ADDR": "127.0.0.1",
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        }
        done = subprocess.run(
            ["git", "http-backend"], input=body, env=environment, capture_output=True, check=False, timeout=60
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self._reply(int(headers.pop("Status", "200").split()[0]), headers, content)

    def _reply(self, status: int, headers: dict[str, str], content: bytes = b"") -> None:
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
