"""HTTP servers in threads of the test's own process."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class LoopbackServer(ThreadingHTTPServer):
    """Listens on a free port of loopback. Clients that go away in the middle, with one of ``silent``, are no news."""

    daemon_threads = False
    silent: tuple[type[BaseException], ...] = (ConnectionError,)

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Print what is not silent."""
        if not isinstance(sys.exception(), self.silent):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # passed on as they came


@contextmanager
def served(server: LoopbackServer, released: threading.Event) -> Iterator[None]:
    """Serve until the context ends; then ``released`` is set, for handlers that wait for it."""
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02))
    thread.start()
    try:
        yield
    finally:
        released.set()
        server.shutdown()
        thread.join()
        server.server_close()
