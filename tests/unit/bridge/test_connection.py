"""Bytes on a socket that no well-behaved client sends, and clients that are slow, absent or too many."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.waiting import eventually
from tests.unit.bridge.real_bridge import MOUNT, Bridge, Server, running_bridge

HOST = "host: docs.test\r\n"
ALIVE = f"GET /healthz HTTP/1.1\r\n{HOST}connection: close\r\n\r\n"
PAGE = f"{MOUNT}/static/docs/default/component/x/"

REFUSED = {
    "no HTTP": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "no version": f"GET /healthz\r\n{HOST}\r\n",
    "HTTP/0.9": "GET /healthz\r\n\r\n",
    "HTTP/2.0 as text": f"GET /healthz HTTP/2.0\r\n{HOST}\r\n",
    "the preface of HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a method that is none": f"G\x00T /healthz HTTP/1.1\r\n{HOST}\r\n",
    "a lower-case method": f"get /healthz HTTP/1.1\r\n{HOST}\r\n",
    "CONNECT": f"CONNECT evil.test:443 HTTP/1.1\r\n{HOST}\r\n",
    "a target with a space": f"GET /health z HTTP/1.1\r\n{HOST}\r\n",
    "a target with a NUL": f"GET /health\x00z HTTP/1.1\r\n{HOST}\r\n",
    "no host": "GET /healthz HTTP/1.1\r\n\r\n",
    "two hosts": f"GET /healthz HTTP/1.1\r\n{HOST}host: other.test\r\n\r\n",
    "length and chunks": f"POST /healthz HTTP/1.1\r\n{HOST}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": f"POST /healthz HTTP/1.1\r\n{HOST}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": f"POST /healthz HTTP/1.1\r\n{HOST}content-length: 4\r\ncontent-length: 5\r\n\r\nabcde",
    "the same length twice": f"POST /healthz HTTP/1.1\r\n{HOST}content-length: 4\r\ncontent-length: 4\r\n\r\nabcd",
    "a list of lengths": f"POST /healthz HTTP/1.1\r\n{HOST}content-length: 4, 4\r\n\r\nabcd",
    "a signed length": f"POST /healthz HTTP/1.1\r\n{HOST}content-length: +4\r\n\r\nabcd",
    "a negative length": f"POST /healthz HTTP/1.1\r\n{HOST}content-length: -1\r\n\r\n",
    "a length beyond 64 bits": f"POST /healthz HTTP/1.1\r\n{HOST}content-length: 18446744073709551617\r\n\r\na",
    "an encoding behind chunked": f"POST /healthz HTTP/1.1\r\n{HOST}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "an encoding that is none": f"POST /healthz HTTP/1.1\r\n{HOST}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked twice": f"POST /healthz HTTP/1.1\r\n{HOST}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": f"POST /healthz HTTP/1.1\r\n{HOST}content-length : 4\r\n\r\nabcd",
    "a space in a name": f"GET /healthz HTTP/1.1\r\n{HOST}x y: 1\r\n\r\n",
    "a folded field": f"GET /healthz HTTP/1.1\r\n{HOST}x: 1\r\n 2\r\n\r\n",
    "a field before the first": f"GET /healthz HTTP/1.1\r\n x: 1\r\n{HOST}\r\n",
    "a NUL in a value": f"GET /healthz HTTP/1.1\r\n{HOST}x: a\x00b\r\n\r\n",
    "a carriage return in a value": f"GET /healthz HTTP/1.1\r\n{HOST}x: a\rb\r\n\r\n",
    "bare line feeds": "GET /healthz HTTP/1.1\nhost: docs.test\n\n",
    "a bare line feed after a field": f"GET /healthz HTTP/1.1\r\n{HOST}x: 1\n\r\n",
    "an empty name": f"GET /healthz HTTP/1.1\r\n{HOST}: 1\r\n\r\n",
    "a chunk of 2**64 bytes": f"POST /healthz HTTP/1.1\r\n{HOST}transfer-encoding: chunked\r\n\r\n10000000000000000\r\na",
    "a negative chunk": f"POST /healthz HTTP/1.1\r\n{HOST}transfer-encoding: chunked\r\n\r\n-1\r\na",
    "a chunk in 0x": f"POST /healthz HTTP/1.1\r\n{HOST}transfer-encoding: chunked\r\n\r\n0x4\r\nabcd\r\n0\r\n\r\n",
    "a chunk longer than it says": f"POST /healthz HTTP/1.1\r\n{HOST}transfer-encoding: chunked\r\n\r\n2\r\nabcd\r\n0\r\n\r\n",
    "chunks without carriage returns": f"POST /healthz HTTP/1.1\r\n{HOST}transfer-encoding: chunked\r\n\r\n2\nab\n0\n\n",
}
"""What must never be taken for a request, because somebody else could read it as another one."""


def statuses(received: bytes) -> list[int]:
    return [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize("sent", REFUSED.values(), ids=REFUSED)
async def test_what_could_be_read_in_two_ways_is_no_request(bridge: Bridge, sent: str) -> None:
    smuggled = f"GET {MOUNT}/openapi.json HTTP/1.1\r\n{HOST}connection: close\r\n\r\n"
    received = await bridge.raw((sent + smuggled).encode("latin-1"))
    # A request whose head is good may be answered before its body turns out to be none; nothing behind it may be.
    assert len(statuses(received)) <= 2
    assert statuses(received)[-1] >= 400
    assert b"openapi" not in received, "what was behind it is not a request either"
    assert b"Traceback" not in received
    assert b"uvicorn" not in received.lower()


async def test_a_refusal_is_json_like_every_other_error(bridge: Bridge) -> None:
    received = await bridge.raw(b"GET / HTTP/1.1\r\n\r\n")
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"content-type: application/json\r\n" in head
    assert b"x-content-type-options: nosniff\r\n" in head
    assert body == (
        b'{"error":{"name":"InputError","message":"a request must have exactly one Host header"},'
        b'"response":{"statusCode":400}}'
    )


TAKEN = {
    "an absolute target": f"GET http://other.test/healthz HTTP/1.1\r\n{HOST}connection: close\r\n\r\n",
    "HTTP/1.0 without a host": "GET /healthz HTTP/1.0\r\n\r\n",
    "an upgrade to HTTP/2": f"GET /healthz HTTP/1.1\r\n{HOST}connection: Upgrade, HTTP2-Settings\r\n"
    "upgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n",
    "an upgrade to websockets": f"GET /healthz HTTP/1.1\r\n{HOST}connection: Upgrade\r\nupgrade: websocket\r\n"
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n",
    "an empty line first": f"\r\nGET /healthz HTTP/1.1\r\n{HOST}connection: close\r\n\r\n",
}


@pytest.mark.parametrize("sent", TAKEN.values(), ids=TAKEN)
async def test_what_is_unusual_and_means_one_thing_is_answered(bridge: Bridge, sent: str) -> None:
    received = await bridge.raw(sent.encode())
    assert statuses(received) == [200]
    assert received.endswith(b'{"status":"ok"}')


async def test_nothing_behind_a_request_for_another_protocol_is_a_request(bridge: Bridge) -> None:
    received = await bridge.raw((TAKEN["an upgrade to HTTP/2"] + ALIVE).encode())
    assert statuses(received) == [200]


async def test_expectation_to_continue_is_met_before_the_body(bridge: Bridge) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
    target = f"{MOUNT}/v1/sites/default/component/x:rollback"
    head = f"POST {target} HTTP/1.1\r\n{HOST}content-length: 2\r\nexpect: 100-continue\r\nconnection: close\r\n"
    writer.write(f"{head}content-type: application/json\r\n\r\n".encode())
    assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10) == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"{}")
    assert statuses(await asyncio.wait_for(reader.read(), 10))[0] in (200, 400)
    writer.close()


async def test_field_behind_a_body_is_no_header(bridge: Bridge, server: Server) -> None:
    body = "0\r\nauthorization: Bearer smuggled\r\nx-request-id: from-a-trailer\r\n\r\n"
    head = f"GET {PAGE} HTTP/1.1\r\n{HOST}transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    server.docs.files = {"index.html": ("text/html", b"page")}
    received = await bridge.raw((head + body).encode())
    assert statuses(received) == [200]
    assert "authorization" not in server.docs.metadata[-1]
    assert b"from-a-trailer" not in received


UNFINISHED = {
    "a trailer": b"0\r\nx: ",
    "a trailer's name": b"0\r\n",
    "trailers without end": b"0\r\nx: y\r\n",
    "a chunk's extension": b"1;x=",
}


@pytest.mark.parametrize("began", UNFINISHED.values(), ids=UNFINISHED)
async def test_body_of_little_but_framing_is_refused_at_once(bridge: Bridge, began: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
    writer.write(f"GET {PAGE} HTTP/1.1\r\n{HOST}transfer-encoding: chunked\r\n\r\n".encode() + began)
    more = b"x: y\r\n" * 1024 if began.endswith(b"y\r\n") else b"a" * 6144

    async def pour() -> None:
        # 6 MiB, of which the 32 KiB of a head and what is under way may be taken.
        for _ in range(1024):
            writer.write(more)
            await writer.drain()

    pouring = asyncio.create_task(pour())
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        assert statuses(head) == [431]
        assert b"connection: close\r\n" in head
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(pouring, 10)
    finally:
        pouring.cancel()
        await asyncio.wait({pouring})
        writer.close()


async def test_body_in_very_small_chunks_is_taken(bridge: Bridge, server: Server) -> None:
    server.docs.files = {"index.html": ("text/html", b"page")}
    reader, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
    with closing(writer):
        head = f"GET {PAGE} HTTP/1.1\r\n{HOST}transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
        writer.write(head.encode())
        for _ in range(64):
            writer.write(b"0001\r\na\r\n" * 1024)
            await writer.drain()
        writer.write(b"0\r\nx: y\r\n\r\n")
        assert statuses(await asyncio.wait_for(reader.read(), 20)) == [200]


async def test_body_that_turns_out_to_be_none_is_refused_without_waiting_for_the_rest(bridge: Bridge) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
    with closing(writer):
        head = f"GET {PAGE} HTTP/1.1\r\n{HOST}transfer-encoding: chunked\r\n\r\n"
        writer.write(head.encode() + b"2\r\nab\r\nno chunk\r\n")
        assert statuses(await asyncio.wait_for(reader.read(), 10)) == [400]


async def test_pipelined_requests_are_answered_in_their_order(bridge: Bridge) -> None:
    first = f"GET /healthz HTTP/1.1\r\n{HOST}\r\n"
    second = f"GET /nothing HTTP/1.1\r\n{HOST}\r\n"
    received = await bridge.raw((first + second + ALIVE).encode())
    assert statuses(received) == [200, 404, 200]


async def test_what_is_no_request_never_ends_up_in_the_answer_before_it(bridge: Bridge, server: Server) -> None:
    server.docs.files = {"index.html": ("text/html", b"<p>" * 20)}
    server.docs.gate = asyncio.Event()
    reader, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
    writer.write(f"GET {PAGE} HTTP/1.1\r\n{HOST}\r\n".encode())
    await eventually(lambda: server.docs.requests, what="the page is asked for")
    writer.write(b"\x00\x00 no request\r\n\r\n")
    await asyncio.sleep(0.1)
    server.docs.gate.set()
    received = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert received.count(b"HTTP/1.1 ") == 1
    assert received.endswith(b"<p>" * 20)


async def test_thousand_pipelined_requests_are_too_many(bridge: Bridge, server: Server) -> None:
    server.docs.files = {"index.html": ("text/html", b"<p>" * 20)}
    server.docs.gate = asyncio.Event()
    reader, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
    writer.write(f"GET {PAGE} HTTP/1.1\r\n{HOST}\r\n".encode() * 1000)
    await eventually(lambda: server.docs.requests, what="the page is asked for")
    server.docs.gate.set()
    received = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    assert 1 <= received.count(b"HTTP/1.1 200") < 100


@pytest.fixture
async def strict(server: Server) -> AsyncIterator[Bridge]:
    """A bridge whose patience a test can wait for."""
    async with running_bridge(
        server.target,
        max_header_bytes=4096,
        max_connections=20,
        header_timeout_seconds=1.0,
        idle_timeout_seconds=1,
        client_timeout_seconds=1.0,
    ) as bridge:
        yield bridge


HEADS = {
    "many bytes in one field": "x: " + "a" * 5000 + "\r\n",
    "many bytes in many fields": "".join(f"x{n}: {'a' * 90}\r\n" for n in range(60)),
    "many fields": "".join(f"x{n}:1\r\n" for n in range(200)),
    "a long name": "x" * 5000 + ": 1\r\n",
}


@pytest.mark.parametrize("fields", HEADS.values(), ids=HEADS)
async def test_head_over_the_limit_is_refused(strict: Bridge, fields: str) -> None:
    received = await strict.raw(f"GET /healthz HTTP/1.1\r\n{HOST}{fields}connection: close\r\n\r\n".encode())
    assert statuses(received) == [431]


@pytest.mark.parametrize("endless", [b"GET /" + b"a" * 9000, b"GET / HTTP/1.1\r\n" + b"x" * 9000, b"X" * 9000])
async def test_head_without_an_end_is_refused_as_soon_as_it_is_too_long(strict: Bridge, endless: bytes) -> None:
    started = time.monotonic()
    assert statuses(await strict.raw(endless))[0] in (400, 431)
    assert time.monotonic() - started < 0.9


@pytest.mark.parametrize("begin", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nhost: docs.test\r\nx: "])
async def test_head_that_does_not_come_ends_its_connection(strict: Bridge, begin: bytes) -> None:
    assert statuses(await strict.raw(begin)) == [408]


async def test_head_byte_by_byte_ends_its_connection_too(strict: Bridge) -> None:
    assert 0.5 < await seconds_alive(strict, b"GET /healthz HTTP/1.1\r\nhost: docs.test\r\nx: ", trickle=b"a") < 8


async def test_idle_connection_is_closed_whatever_empty_lines_come(strict: Bridge) -> None:
    alive = f"GET /healthz HTTP/1.1\r\n{HOST}\r\n".encode()
    assert await seconds_alive(strict, alive, trickle=b"") < 8
    assert await seconds_alive(strict, alive, trickle=b"\r\n") < 8


async def test_body_that_goes_on_after_its_answer_ends_its_connection(strict: Bridge) -> None:
    head = f"GET /healthz HTTP/1.1\r\n{HOST}content-length: 100000\r\n\r\n".encode()
    assert await seconds_alive(strict, head, trickle=b"a") < 10


async def test_body_that_does_not_come_is_a_timeout(strict: Bridge) -> None:
    head = f"POST {MOUNT}/sync/default/component/x HTTP/1.1\r\n{HOST}content-length: 100000\r\n\r\n".encode()
    assert await seconds_alive(strict, head, trickle=b"a") < 10


async def seconds_alive(bridge: Bridge, begin: bytes, *, trickle: bytes) -> float:
    """Say how long a connection lives on which a little comes all the time."""
    reader, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
    started = time.monotonic()
    writer.write(begin)
    ended = asyncio.create_task(_read_to_the_end(reader))
    while not ended.done() and time.monotonic() - started < 15:
        if trickle:
            writer.write(trickle)
        await asyncio.wait({ended}, timeout=0.1)
    ended.cancel()
    writer.close()
    return time.monotonic() - started


async def _read_to_the_end(reader: asyncio.StreamReader) -> None:
    try:
        while await reader.read(65536):
            pass
    except ConnectionError:
        pass


async def test_one_connection_too_many_is_told_so(strict: Bridge) -> None:
    held = [await asyncio.open_connection("127.0.0.1", strict.port) for _ in range(20)]
    try:
        received = await strict.raw(ALIVE.encode())
        assert statuses(received) == [503]
        assert b"retry-after: 1\r\n" in received
    finally:
        for _, writer in held:
            writer.close()
    await eventually(lambda: answers(strict), what="connections that ended make room")


async def answers(bridge: Bridge) -> bool:
    return statuses(await bridge.raw(ALIVE.encode())) == [200]


async def test_client_that_takes_nothing_is_given_up_with_all_that_it_holds(strict: Bridge, server: Server) -> None:
    server.docs.files = {"big.bin": ("application/octet-stream", bytes(32 * 1024 * 1024))}
    server.docs.chunk_bytes = 1024 * 1024
    with socket.socket() as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await asyncio.get_running_loop().run_in_executor(None, silent.connect, ("127.0.0.1", strict.port))
        silent.sendall(f"GET {PAGE}big.bin HTTP/1.1\r\n{HOST}\r\n".encode())
        await eventually(lambda: server.docs.requests, what="the file is asked for")
        assert is_held(strict, silent)
        await eventually(lambda: server.docs.cancelled, what="the server is told that nobody reads", timeout_seconds=20)
        # Nothing was read, so a mere close would wait for the client without end.
        await eventually(lambda: not is_held(strict, silent), what="the connection is gone", timeout_seconds=20)


def is_held(bridge: Bridge, client: socket.socket) -> bool:
    """Whether the kernel still has the bridge's end of a connection, with or without a process that knows of it."""
    ends = f":{bridge.port:04X}", f":{client.getsockname()[1]:04X}"
    lines = Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]
    return any(line.split()[1].endswith(ends[0]) and line.split()[2].endswith(ends[1]) for line in lines)
