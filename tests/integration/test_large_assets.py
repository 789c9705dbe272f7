"""Large files through a real bridge: resumed, slowly, by several clients, and off a disk that fails in the middle."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from techdocs_server.domain.digest import Digest

from tests.conformance.raw_http import exchange, request
from tests.support.blob_folder import file_of
from tests.support.published import Catalog, Deployment, deployed, site_path
from tests.support.sites import write_files
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

MIB = 1024 * 1024
RESUMED_BYTES = 50 * MIB
LARGE_BYTES = 200 * MIB
SLOW_CLIENTS = 8
MOST_GROWTH_BYTES = 64 * MIB
"""Far less than one client's file, far more than chunks and sockets of all of them."""

RESUMED = site_path(path="assets/resumed.bin")
LARGE = site_path(path="assets/large.bin")


def content(size: int) -> bytes:
    """Return bytes that are nowhere alike: a part from the wrong place is seen."""
    return hashlib.shake_128(size.to_bytes(8, "big")).digest(size)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Deployment]:
    folder = tmp_path_factory.mktemp("large")
    catalog = Catalog(folder / "catalog")
    catalog.add("demo", {"index.md": "# Large\n"})
    files = {"resumed.bin": content(RESUMED_BYTES), "large.bin": bytes(LARGE_BYTES)}
    write_files(catalog.folder / "demo" / "docs" / "assets", files)
    async with deployed(folder, catalog) as running:
        await running.sync("demo")
        yield running


async def test_curl_resumes_an_interrupted_download_to_the_bit(service: Deployment, tmp_path: Path) -> None:
    file = tmp_path / "resumed.bin"
    expected = content(RESUMED_BYTES)
    for kept in (0, 1, 7 * MIB + 13, RESUMED_BYTES - 1):
        file.write_bytes(expected[:kept])
        command = ("curl", "-sS", "--fail", "-C", "-", "-o", str(file), "-w", "%{http_code}", service.rest + RESUMED)
        curl = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        output, _ = await asyncio.wait_for(curl.communicate(), 120)
        assert (curl.returncode, output) == (0, b"200" if kept == 0 else b"206")
        assert file.read_bytes() == expected


async def test_parts_of_a_large_file_are_those_that_were_asked_for(service: Deployment) -> None:
    whole = content(RESUMED_BYTES)
    spans = [(30 * MIB, 33 * MIB), (0, 10), (RESUMED_BYTES - 5, RESUMED_BYTES), (MIB, 2 * MIB + 1)]
    ranges = ",".join(f"{first}-{end - 1}" for first, end in spans)
    async with httpx.AsyncClient(timeout=60) as client:
        answer = await client.get(service.rest + RESUMED, headers={"range": f"bytes={ranges}"})
    assert answer.status_code == 206
    boundary = answer.headers["content-type"].rpartition("boundary=")[2].encode()
    parts = answer.content.split(b"--" + boundary)
    assert (parts[0], parts[-1]) == (b"", b"--\r\n")
    assert [part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for part in parts[1:-1]] == [
        whole[first:end] for first, end in spans
    ]


def resident_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


@pytest.mark.parametrize("wanted", ["", f"bytes=0-{LARGE_BYTES // 2},{LARGE_BYTES // 2 + 5}-"], ids=["whole", "parts"])
async def test_slow_clients_of_a_large_file_cost_no_memory(service: Deployment, wanted: str) -> None:
    processes = (service.server.process.pid, service.bridge.process.pid)
    headers = {"range": wanted} if wanted else {}
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx.AsyncClient(timeout=60))
        await client.get(service.rest + RESUMED)  # what a first download costs once
        before = [resident_bytes(pid) for pid in processes]
        answers = [
            await stack.enter_async_context(client.stream("GET", service.rest + LARGE, headers=headers))
            for _ in range(SLOW_CLIENTS)
        ]
        chunks = [answer.aiter_raw(64 * 1024) for answer in answers]
        read = [0] * SLOW_CLIENTS
        for _ in range(64):  # 4 MiB each, in turns
            for number, source in enumerate(chunks):
                read[number] += len(await anext(source))
            growth = [resident_bytes(pid) - was for pid, was in zip(processes, before, strict=True)]
            assert max(growth) < MOST_GROWTH_BYTES, growth
        # One goes on to the end, while the others stand still.
        async for chunk in chunks[0]:
            read[0] += len(chunk)
        assert read[0] == int(answers[0].headers["content-length"])
        growth = [resident_bytes(pid) - was for pid, was in zip(processes, before, strict=True)]
        assert max(growth) < MOST_GROWTH_BYTES, growth
    # Those that left in the middle hold nothing.
    await eventually(lambda: not open_sockets_of(service), timeout_seconds=30, what="the clients' sockets to be closed")


def open_sockets_of(service: Deployment) -> list[str]:
    """Return the connections to the bridge's port that are established."""
    port = f"{service.address[1]:04X}"
    lines = Path(f"/proc/{service.bridge.process.pid}/net/tcp").read_text().splitlines()[1:]
    fields = [line.split() for line in lines]
    return [
        f"{local} {remote}" for _, local, remote, state, *_ in fields if local.endswith(f":{port}") and state == "01"
    ]


@pytest.mark.parametrize(
    ("wanted", "least"),
    [
        ("", 0),
        (f"bytes={MIB}-{LARGE_BYTES - 1}", 0),
        (f"bytes=0-{150 * MIB},{160 * MIB}-", 0),
        # What is left holds all of the first part: only the second one fails.
        (f"bytes=0-{50 * MIB - 1},{160 * MIB}-{161 * MIB}", 50 * MIB),
    ],
    ids=["whole", "range", "first-part", "second-part"],
)
async def test_storage_that_fails_in_the_middle_breaks_the_answer_off(
    service: Deployment, wanted: str, least: int
) -> None:
    received = bytearray()
    with blob_of_zeros(service).open("r+b") as blob:
        async with (
            httpx.AsyncClient(timeout=60) as client,
            client.stream("GET", service.rest + LARGE, headers={"range": wanted} if wanted else {}) as answer,
        ):
            chunks = answer.aiter_raw(64 * 1024)
            received += await anext(chunks)
            blob.truncate(100 * MIB)
            try:
                with pytest.raises(httpx.RemoteProtocolError, match="peer closed connection"):
                    async for chunk in chunks:
                        received += chunk
            finally:
                blob.truncate(LARGE_BYTES)  # zeros again
    assert answer.status_code == (206 if wanted else 200)
    assert least <= len(received) < int(answer.headers["content-length"])
    head, _, tail = bytes(received).partition(b"\r\n\r\n")
    # Neither an error in words nor the end of a multipart answer stands behind what was sent.
    assert set(tail or head) <= {0}


async def test_storage_that_fails_before_the_first_byte_is_an_error_in_words(service: Deployment) -> None:
    with blob_of_zeros(service).open("r+b") as blob:
        blob.truncate(MIB)
        try:
            for wanted in ((), ("range: bytes=0-9",), ("range: bytes=0-9,20-29",)):
                answer = await exchange(service.address, request(LARGE, *wanted))
                assert (answer.status, answer.is_complete) == (500, True)
                assert json.loads(answer.body)["response"] == {"statusCode": 500}
        finally:
            blob.truncate(LARGE_BYTES)
    assert (await exchange(service.address, request(LARGE, "range: bytes=0-9"))).body == bytes(10)


def blob_of_zeros(service: Deployment) -> Path:
    digest = hashlib.sha256()
    for _ in range(LARGE_BYTES // MIB):
        digest.update(bytes(MIB))
    return file_of(service.data / "blobs", Digest(digest.hexdigest(), LARGE_BYTES))
