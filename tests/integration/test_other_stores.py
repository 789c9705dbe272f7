"""The main job with contents in a real S3 server and records in a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from minio import Minio
from techdocs.v1 import docs_pb2, sites_pb2

from tests.integration.build_control import Site, building, restarted
from tests.integration.test_second_server import refused
from tests.support.postgresql import PostgreSQL
from tests.support.replicas import shared_stores
from tests.support.rpc_client import component
from tests.support.seaweedfs import BUCKET, SECRET_KEY, SeaweedFS


@pytest.fixture
async def site(tmp_path: Path, s3_server: SeaweedFS, postgresql_server: PostgreSQL) -> AsyncIterator[Site]:
    settings = shared_stores(s3_server, postgresql_server, f"{tmp_path.name}/")
    async with building(tmp_path, role="serve", **settings) as running:
        yield running


def objects(client: Minio, prefix: str) -> list[str]:
    return [entry.object_name or "" for entry in client.list_objects(BUCKET, prefix, recursive=True)]


async def test_a_site_is_built_published_read_and_rolled_back(site: Site, s3_server: SeaweedFS) -> None:
    site.add("demo")
    first = await site.sync("demo")
    assert "generation-0" in await site.page("demo")
    site.edit("demo", 1)
    second = await site.sync("demo")
    assert "generation-1" in await site.page("demo")
    await site.client.sites.RollbackSite(
        sites_pb2.RollbackSiteRequest(entity=component("demo"), revision=first.revision)
    )
    assert "generation-0" in await site.page("demo")
    assert second.revision != first.revision

    stored = await asyncio.to_thread(objects, s3_server.client, f"{site.folder.name}/")
    assert len(stored) > 40
    prefix = site.folder.name
    assert all(name.startswith((f"{prefix}/blobs/", f"{prefix}/sites/default/component/demo/")) for name in stored)
    assert not (site.data / "blobs").exists()
    assert not (site.data / "records.sqlite3").exists()


async def test_everything_is_there_after_a_restart_on_another_disk(site: Site) -> None:
    site.add("demo")
    await site.sync("demo")
    await site.service.terminate()
    site.settings["data_directory"] = site.folder / "another"
    async with restarted(site) as again:
        assert "generation-0" in await again.page("demo")
        request = docs_pb2.ListContentsRequest(entity=component("demo"))
        assert len((await again.client.docs.ListContents(request)).contents) > 20
        again.edit("demo", 1)
        assert (await again.sync("demo")).updated
        assert "generation-1" in await again.page("demo")


async def test_servers_that_keep_their_contents_apart_do_not_share_a_database(
    tmp_path: Path, postgresql_server: PostgreSQL
) -> None:
    settings: dict[str, object] = {"database_url": postgresql_server.new_database().replace("+psycopg", "")}
    async with building(tmp_path, role="server", **settings) as first:
        first.add("demo")
        await first.sync("demo")
        assert "generation-0" in await first.page("demo")
        second = {**first.settings, "data_directory": tmp_path / "second", "server_listen": "127.0.0.1:0"}
        assert "another techdocs server uses this database" in await refused("server", **second)
        await first.service.kill()
        async with restarted(first) as again:
            again.edit("demo", 1)
            assert (await again.sync("demo")).updated


async def test_a_worker_without_shared_stores_does_not_start(tmp_path: Path) -> None:
    assert "database_url, s3_bucket: both must be set" in await refused("worker", data_directory=tmp_path / "data")


@pytest.mark.parametrize(
    ("change", "setting", "words"),
    [
        ({"s3_bucket": "absent"}, "s3_bucket", "does not exist; create it"),
        ({"s3_secret_key": "wrong"}, "s3_bucket", "denies access"),
        ({"s3_endpoint": "http://127.0.0.1:9"}, "s3_bucket", "cannot be reached"),
        ({"s3_endpoint": "ftp://x"}, "s3_endpoint", "must be a host"),
        ({"s3_encryption": "ROT13"}, "s3_encryption", "must be AES256"),
        ({"database_url": "postgresql://tests:wrong@{address}/postgres"}, "database_url", "user or the password"),
        ({"database_url": "postgresql://127.0.0.1:9/x"}, "database_url", "cannot be reached"),
        ({"database_url": "postgresql://{login}/absent"}, "database_url", "does not exist"),
    ],
    ids=str,
)
async def test_a_store_that_cannot_be_used_ends_the_start_with_its_setting(
    tmp_path: Path,
    s3_server: SeaweedFS,
    postgresql_server: PostgreSQL,
    change: dict[str, str],
    setting: str,
    words: str,
) -> None:
    login = postgresql_server.address
    settings = shared_stores(s3_server, postgresql_server, "")
    settings |= {
        name: value.replace("{login}", login).replace("{address}", login.rpartition("@")[2])
        for name, value in change.items()
    }
    said = await refused("server", data_directory=tmp_path, server_listen="127.0.0.1:0", **settings)
    # Attempts that failed are in the log before it.
    last = said.splitlines()[-1]
    assert last.startswith(f"techdocs: {setting}: ")
    assert words in last
    assert "Traceback" not in said
    for secret in (SECRET_KEY, login.partition(":")[2].partition("@")[0]):
        assert secret not in said
