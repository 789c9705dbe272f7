"""A real web server on loopback, whose answers tests write."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.support.http_serving import LoopbackServer, served


@dataclass
class Page:
    """What is at a path. ``etag`` makes conditional requests work; ``sends`` is how much of the content really comes."""

    content: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    etag: str = ""
    sends: int | None = None
    is_chunked: bool = False


@dataclass(frozen=True)
class Got:
    """One request as it arrived; header names are lower-case."""

    path: str
    headers: Mapping[str, str]


@dataclass
class WebServer:
    """What tests fill and look at. While ``hang`` is set, an answer begins and never ends."""

    port: int
    scheme: str
    pages: dict[str, Page] = field(default_factory=dict)
    requests: list[Got] = field(default_factory=list)
    hang: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    name: str = "127.0.0.1"

    @property
    def host(self) -> str:
        return f"{self.name}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}"


@contextmanager
def web_server(certificate: ssl.SSLContext | None = None) -> Iterator[WebServer]:
    """Serve pages until the context ends, with TLS when a certificate is given."""
    server = _Server()
    seen = server.seen
    if certificate is not None:
        seen.scheme = "https"
        server.socket = certificate.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with served(server, seen.released):
        yield seen


class _Server(LoopbackServer):
    # Some refuse our certificate.
    silent = (ConnectionError, ssl.SSLError)

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.seen = WebServer(self.server_port, "http")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10

    def do_GET(self) -> None:
        assert isinstance(self.server, _Server)
        seen = self.server.seen
        self.close_connection = True
        seen.requests.append(Got(self.path, {name.lower(): value for name, value in self.headers.items()}))
        page = seen.pages.get(self.path.partition("?")[0], Page(status=404))
        if page.etag and self.headers.get("If-None-Match") == page.etag:
            self._send(Page(status=304, etag=page.etag))
        else:
            self._send(page)
        if seen.hang.is_set():
            self.wfile.flush()
            seen.released.wait(60)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        pass

    def _send(self, page: Page) -> None:
        self.send_response(page.status)
        headers = {**page.headers, **({"ETag": page.etag} if page.etag else {})}
        content = page.content if page.sends is None else page.content[: page.sends]
        if page.is_chunked:
            headers["Transfer-Encoding"] = "chunked"
            content = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in _parts(content)) + b"0\r\n\r\n"
        elif page.status != 304:
            headers["Content-Length"] = str(len(page.content))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


def _parts(content: bytes) -> list[bytes]:
    return [content[start : start + 1000] for start in range(0, len(content), 1000)]
