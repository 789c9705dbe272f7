"""HTTP by hand: requests that no library would send, answers as they came."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

_ANSWER_SECONDS = 20.0
_FRAMED_SECONDS = 120.0
"""A build may lie between the first byte and the last."""


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """One answer. Header names are in lower case; a body that was sent in chunks is put together."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes
    is_complete: bool
    """Whether as much came as the headers promise."""

    def header(self, name: str) -> str:
        """Return the only header of a name, or an empty string. Raises `AssertionError` when there are several."""
        found = [value for key, value in self.headers if key == name]
        assert len(found) <= 1, f"{name} is sent {len(found)} times"
        return found[0] if found else ""


def request(target: str | bytes, *headers: str, method: str = "GET", body: bytes = b"") -> bytes:
    """Return a request whose target goes out exactly as given."""
    raw = target if isinstance(target, bytes) else target.encode()
    lines = ["host: docs.test", "connection: close", *headers]
    if body:
        lines.append(f"content-length: {len(body)}")
    head = "".join(f"{line}\r\n" for line in lines).encode()
    return method.encode() + b" " + raw + b" HTTP/1.1\r\n" + head + b"\r\n" + body


async def exchange(address: tuple[str, int], sent: bytes) -> RawAnswer:
    """Send bytes and return the answer. Raises `AssertionError` when there is none."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(sent)
        async with asyncio.timeout(_ANSWER_SECONDS):
            # A server may answer and close before it has taken all of a large request.
            received = await _read_all(reader)
    finally:
        writer.close()
    assert received, "the connection was closed without an answer"
    method = sent.partition(b" ")[0]
    return _parsed(received, has_body=method != b"HEAD")


async def _read_all(reader: asyncio.StreamReader) -> bytes:
    received = b""
    try:
        while chunk := await reader.read(65536):
            received += chunk
    except ConnectionResetError:
        pass
    return received


def _parsed(received: bytes, *, has_body: bool) -> RawAnswer:
    head, _, rest = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    version, status, *_ = first.split(" ")
    assert version == "HTTP/1.1", f"not an answer of HTTP/1.1: {first}"
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    promised = dict(headers)
    if promised.get("transfer-encoding") == "chunked":
        body, whole = _joined_chunks(rest)
    else:
        body, whole = rest, not has_body or len(rest) == int(promised.get("content-length", len(rest)))
    return RawAnswer(int(status), headers, body, whole)


def _joined_chunks(rest: bytes) -> tuple[bytes, bool]:
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            return body, True
        body, rest = body + rest[:length], rest[length + 2 :]
    return body, False


async def framed_exchange(address: tuple[str, int], sent: bytes) -> RawAnswer:
    """Send bytes and return the answer, also of a server that keeps the connection open behind it."""
    reader, writer = await asyncio.open_connection(*address)
    method = sent.partition(b" ")[0]
    received = b""
    try:
        writer.write(sent)
        async with asyncio.timeout(_FRAMED_SECONDS):
            while not _is_whole(received, has_body=method != b"HEAD") and (chunk := await reader.read(65536)):
                received += chunk
    finally:
        writer.close()
    assert received, "the connection was closed without an answer"
    return _parsed(received, has_body=method != b"HEAD")


def _is_whole(received: bytes, *, has_body: bool) -> bool:
    head, end, rest = received.partition(b"\r\n\r\n")
    if not end or not has_body or head.split(b" ", 2)[1][:3] in (b"204", b"304"):
        return bool(end)
    fields = head.lower()
    if b"\r\ntransfer-encoding: chunked" in fields:
        return rest.endswith(b"0\r\n\r\n")
    length = fields.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
    return bool(length) and len(rest) >= int(length)
