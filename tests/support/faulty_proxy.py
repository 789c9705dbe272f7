"""A way to a server on which things go wrong."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_BUFFER_BYTES = 64 * 1024


@dataclass
class FaultyProxy:
    """Passes connections on to a server. ``endpoint`` is a URL.

    While ``answers`` has status codes, each connection is answered with the next
    one instead; 0 stands for silence. ``answer_always`` goes on for ever. With ``cut_after`` a connection is
    cut when so many bytes came back, with ``flip_at`` the byte at that place is another.
    """

    endpoint: str = ""
    answers: list[int] = field(default_factory=list)
    answer_always: int | None = None
    cut_after: int | None = None
    flip_at: int | None = None
    connections: int = 0
    open_connections: set[asyncio.Task[None]] = field(default_factory=set)

    def hang_up(self) -> None:
        """End every connection there is, so that the next request makes one."""
        for connection in self.open_connections:
            connection.cancel()

    def next_answer(self) -> int | None:
        """Return the status to answer with, None to pass on."""
        self.connections += 1
        return self.answers.pop(0) if self.answers else self.answer_always


@asynccontextmanager
async def faulty_proxy(host: str, port: int) -> AsyncIterator[FaultyProxy]:
    """Listen until the context ends."""
    proxy = FaultyProxy()
    tasks = proxy.open_connections

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await _serve(proxy, host, port, reader, writer)
        writer.close()
        tasks.discard(task)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    proxy.endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield proxy
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _serve(
    proxy: FaultyProxy, host: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    status = proxy.next_answer()
    if status is not None:
        await reader.readuntil(b"\r\n\r\n")
        if status == 0:
            await asyncio.Event().wait()
        writer.write(b"HTTP/1.1 %d Fault\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status)
        await writer.drain()
        return
    from_server, to_server = await asyncio.open_connection(host, port)
    try:
        forth = asyncio.create_task(_pass_on(reader, to_server))
        back = asyncio.create_task(_pass_back(proxy, from_server, writer))
        await asyncio.wait({forth, back}, return_when=asyncio.FIRST_COMPLETED)
        for task in (forth, back):
            task.cancel()
        await asyncio.gather(forth, back, return_exceptions=True)
    finally:
        to_server.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while content := await reader.read(_BUFFER_BYTES):
        writer.write(content)
        await writer.drain()


async def _pass_back(proxy: FaultyProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    passed = 0
    while content := await reader.read(_BUFFER_BYTES):
        if proxy.cut_after is not None and passed + len(content) > proxy.cut_after:
            writer.write(content[: proxy.cut_after - passed])
            await writer.drain()
            return
        if proxy.flip_at is not None and passed <= proxy.flip_at < passed + len(content):
            at = proxy.flip_at - passed
            content = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        passed += len(content)
        writer.write(content)
        await writer.drain()
