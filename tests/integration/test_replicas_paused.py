"""A worker that is paused in its worst moment: all blobs are stored, and the pointer is about to move."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from techdocs.v1 import builds_pb2, sites_pb2

from tests.support.postgresql import PostgreSQL
from tests.support.replicas import Replicas, replicas
from tests.support.rpc_client import component
from tests.support.seaweedfs import SeaweedFS
from tests.support.waiting import eventually

# Others wait for other locks now and then (the queue's, each other's), long before anything is published.
_BLOCKED = """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND %s = ANY (pg_blocking_pids(pid))
"""


@pytest.fixture
async def site(tmp_path: Path, s3_server: SeaweedFS, postgresql_server: PostgreSQL) -> AsyncIterator[Replicas]:
    async with replicas(tmp_path, s3_server, postgresql_server) as made:
        yield made


@pytest.mark.slow
async def test_worker_paused_between_the_last_blob_and_the_pointer_neither_blocks_nor_publishes(site: Replicas) -> None:
    site.add("demo")
    server = await site.start("server", "server")
    paused = await site.start("worker", "paused")
    assert (await server.sync("demo")).updated
    site.edit("demo", 1)
    url = str(site.settings["database_url"])
    async with (
        await psycopg.AsyncConnection.connect(url) as lock,
        await psycopg.AsyncConnection.connect(url, autocommit=True) as watch,
    ):

        async def is_blocked() -> bool:
            row = await (await watch.execute(_BLOCKED, [lock.info.backend_pid])).fetchone()
            state = (await server.build(build.name)).state
            return row is not None and row[0] > 0 and state == builds_pb2.BUILD_STATE_PUBLISHING

        await lock.execute("SELECT id FROM sites WHERE name = 'demo' FOR UPDATE")
        build = await server.create("demo")
        # Whoever asks for the site's row has stored everything that the manifest names, and the manifest.
        await eventually(is_blocked, timeout_seconds=30, what="the worker is about to publish")
        os.kill(paused.service.process.pid, signal.SIGSTOP)
        try:
            # The paused worker's transaction has the row now, and nobody to end it.
            await lock.rollback()
            site.edit("demo", 2)
            other = await site.start("worker", "other")

            async def ended() -> builds_pb2.Build | None:
                current = await server.build(build.name)
                return current if current.state >= builds_pb2.BUILD_STATE_SUCCEEDED else None

            last = await eventually(ended, timeout_seconds=60, what="another worker ended the build")
            assert last is not None
            assert (last.state, last.attempt) == (builds_pb2.BUILD_STATE_SUCCEEDED, 2)
            assert last.worker.endswith(f"-{other.service.process.pid}")
        finally:
            os.kill(paused.service.process.pid, signal.SIGCONT)
        await eventually(
            lambda: "build_superseded" in paused.service.logged(), timeout_seconds=30, what="the paused worker gave up"
        )
    assert "Traceback" not in paused.service.logged(), "it says in one line what became of its job"
    assert "generation-2" in await server.page("demo")
    revisions = await server.client.sites.ListRevisions(sites_pb2.ListRevisionsRequest(entity=component("demo")))
    assert revisions.revisions[0].revision == last.revision
    assert len(revisions.revisions) == 2, "the paused attempt's revision is not one of the site's"
