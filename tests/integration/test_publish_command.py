"""``techdocs publish`` against a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.certificates import certificate
from tests.support.ports import free_port
from tests.support.publishing import PublishingServer, publish_command, publishing, write_site
from tests.support.services import running
from tests.support.waiting import eventually

SITE = {f"{number}/index.html": b"<h1>page %d</h1>" % number for number in range(299)} | {
    "index.html": b"<h1>front</h1>"
}
PUBLISHED, REFUSED, CONFLICT, UNAVAILABLE = 0, 1, 3, 4


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[PublishingServer]:
    async with publishing(tmp_path / "server") as publishing_server:
        yield publishing_server


async def test_a_site_of_300_files_with_one_changed_sends_one(server: PublishingServer, tmp_path: Path) -> None:
    site, target = write_site(tmp_path / "site", SITE), server.service.grpc
    (site / "link.html").symlink_to("/etc/passwd")
    (site / "folder").symlink_to("/etc")
    first = await publish_command(target, site, "--source-etag", "one")
    assert (first.status, first.complained) == (PUBLISHED, "left out 2 link or special files\n")
    found, sending, outcome = first.said.splitlines()
    assert (found, sending) == ("found 300 files, 5.0 kB", "sending 300 files, 5.0 kB")
    assert outcome.startswith("component:default/docs is published, revision ")
    assert "\x1b" not in first.said
    assert await server.read("298/index.html") == SITE["298/index.html"]

    write_site(site, {"7/index.html": b"changed"})
    second = json.loads((await publish_command(target, site, "--source-etag", "two", "--json")).said)
    assert (second["updated"], second["uploadedBytes"], second["fileCount"]) == (True, 7, 301)
    assert await server.read("7/index.html") == b"changed"

    third = await publish_command(target, site, "--source-etag", "two")
    assert (third.status, third.said.splitlines()[1]) == (PUBLISHED, "sending 0 files, 0 B")
    assert f"is unchanged, revision {second['revision']}" in third.said

    checked = await publish_command(target, site, "--validate-only", "--source-etag", "two")
    assert "is valid; a publish would change nothing" in checked.said

    lost = await publish_command(target, site, "--expected-revision", "ab" * 32)
    assert lost.status == CONFLICT
    assert lost.complained.splitlines()[1].endswith("sync or publish again (REVISION_CONFLICT)")


async def test_a_publish_survives_a_server_that_comes_late(tmp_path: Path) -> None:
    site, port = write_site(tmp_path / "site", {"index.html": b"late"}), free_port()
    publish = asyncio.create_task(publish_command(f"127.0.0.1:{port}", site))
    async with publishing(tmp_path / "server", server_listen=f"127.0.0.1:{port}") as server:
        ended = await publish
        assert ended.status == PUBLISHED, ended.complained
        assert await server.read("index.html") == b"late"


async def test_a_publish_goes_on_where_it_was_when_the_server_was_killed_meanwhile(tmp_path: Path) -> None:
    large = {f"{number}.bin": number.to_bytes(4) * 1024**2 for number in range(40)}
    site, port = write_site(tmp_path / "site", large | {"index.html": b"front"}), free_port()
    listen = f"127.0.0.1:{port}"
    async with publishing(tmp_path / "server", server_listen=listen, compress_variants=False) as server:
        publish = asyncio.create_task(publish_command(server.service.grpc, site, "--json"))
        blobs = tmp_path / "server" / "data" / "blobs"
        await eventually(lambda: stored_bytes(blobs) > 12 * 1024**2, what="some contents are stored")
        await server.service.kill()
    assert not publish.done()
    async with publishing(tmp_path / "server", server_listen=listen, compress_variants=False) as server:
        ended = await publish
        assert ended.status == PUBLISHED, ended.complained
        assert "the server cannot be reached: " in ended.complained
        outcome = json.loads(ended.said)
        assert 0 < outcome["uploadedBytes"] <= (len(large) - 2) * 4 * 1024**2 + 5
        assert outcome["uploadedBytes"] + outcome["reusedBytes"] == len(large) * 4 * 1024**2 + 5
        assert await server.read("39.bin") == large["39.bin"]


def stored_bytes(blobs: Path) -> int:
    return sum(file.stat().st_size for file in blobs.glob("??/*"))


async def test_the_command_speaks_tls(tmp_path: Path) -> None:
    own, site = certificate(tmp_path, name="127.0.0.1"), write_site(tmp_path / "site", {"index.html": b"safe"})
    tls = {"server_tls_certificate": own.file, "server_tls_key": tmp_path / "127.0.0.1.key"}
    async with running("server", tmp_path / "server", catalog=tmp_path, **tls) as service:
        target = service.grpc
        ended = await publish_command(target, site, "--ca", str(own.file), token="s3cret")
        assert (ended.status, ended.complained) == (PUBLISHED, "")
        plain = await publish_command(target, site, "--timeout", "1")
        assert plain.status == UNAVAILABLE


async def test_a_server_that_takes_no_sites_is_a_refusal(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site", {"index.html": b"x"})
    async with publishing(tmp_path / "server", publish_enabled=False) as server:
        ended = await publish_command(server.service.grpc, site)
    assert ended.status == REFUSED
    assert "(PUBLISH_DISABLED)" in ended.complained
