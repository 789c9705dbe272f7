"""The process that compresses, really started."""

from __future__ import annotations

import asyncio
import gzip
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import brotli
import pytest
from techdocs_server.adapters.compression import process
from techdocs_server.adapters.compression.process import ProcessCompressor
from techdocs_server.domain.encoding import MOST_BYTES, ContentEncoding
from techdocs_server.ports.compressor import CompressorFailed

from tests.support.processes import children_of, compressors_of
from tests.support.waiting import eventually

BROTLI, GZIP = ContentEncoding.BROTLI, ContentEncoding.GZIP
PAGE = b"<li><a href='../page/'>A page of the navigation</a></li>" * 2000
# Random bytes take brotli longest: long enough here to be interrupted.
SLOW = os.urandom(MOST_BYTES)


@pytest.fixture
async def compressor() -> AsyncIterator[ProcessCompressor]:
    opened = ProcessCompressor()
    try:
        yield opened
    finally:
        await opened.close()
    assert children() == []


def children() -> list[int]:
    return compressors_of(os.getpid())


@pytest.mark.parametrize("content", [b"", b"x", PAGE, os.urandom(300_000)], ids=["empty", "byte", "page", "noise"])
async def test_both_encodings_decode_to_the_content(compressor: ProcessCompressor, content: bytes) -> None:
    for _ in range(2):
        encoded = await compressor.compress(content)
        assert encoded.keys() == set(ContentEncoding)
        assert brotli.decompress(encoded[BROTLI]) == content
        assert gzip.decompress(encoded[GZIP]) == content


async def test_the_same_content_gives_the_same_bytes(compressor: ProcessCompressor) -> None:
    first = await compressor.compress(PAGE)
    await compressor.rest()
    assert await compressor.compress(PAGE) == first


async def test_one_process_serves_many_calls_and_ends_when_it_may_rest(compressor: ProcessCompressor) -> None:
    assert children() == []
    await compressor.compress(PAGE)
    [pid] = children()
    await compressor.compress(PAGE)
    assert children() == [pid]
    await compressor.rest()
    assert children() == []
    await compressor.rest()


async def test_it_runs_when_nobody_else_wants_to(compressor: ProcessCompressor) -> None:
    await compressor.compress(PAGE)
    [pid] = children()
    assert os.getpriority(os.PRIO_PROCESS, pid) == 19
    assert os.sched_getscheduler(pid) == os.SCHED_IDLE
    assert os.getpriority(os.PRIO_PROCESS, 0) < 19


async def test_a_killed_process_fails_one_call_only(compressor: ProcessCompressor) -> None:
    await compressor.compress(PAGE)
    [pid] = children()
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(CompressorFailed):
        await compressor.compress(PAGE)
    assert brotli.decompress((await compressor.compress(PAGE))[BROTLI]) == PAGE


async def test_a_cancelled_call_ends_at_once_and_the_next_one_works(compressor: ProcessCompressor) -> None:
    call = asyncio.create_task(compressor.compress(SLOW))
    await eventually(children, what="the process to run")
    began = time.monotonic()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert time.monotonic() - began < 2
    assert children() == []
    assert gzip.decompress((await compressor.compress(PAGE))[GZIP]) == PAGE


async def test_a_call_that_takes_too_long_fails() -> None:
    compressor = ProcessCompressor(timeout_seconds=0.2)
    try:
        with pytest.raises(CompressorFailed, match="TimeoutError"):
            await compressor.compress(SLOW)
        assert children() == []
    finally:
        await compressor.close()


async def test_a_content_beyond_the_bound_is_refused(compressor: ProcessCompressor) -> None:
    with pytest.raises(CompressorFailed, match="too large"):
        await compressor.compress(bytes(MOST_BYTES + 1))
    assert children() == []


@pytest.mark.parametrize(
    "program", ["raise SystemExit(1)", "import sys; sys.stdin.buffer.read(9); sys.stdout.write('x')"]
)
async def test_a_process_that_cannot_work_fails_each_call_and_is_closed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str
) -> None:
    (tmp_path / "worker.py").write_text(program)
    monkeypatch.setattr(process, "_WORKER", tmp_path / "worker.py")
    compressor = ProcessCompressor()
    for _ in range(3):
        with pytest.raises(CompressorFailed):
            await compressor.compress(PAGE)
    async with asyncio.timeout(5):
        await compressor.close()
    assert children_of(os.getpid()) == []
