"""A bucket that goes away, takes nothing more or no longer knows the key: readers keep what they can, nothing looks missing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import cast

import grpc
import pytest
import urllib3
from minio.error import MinioException, S3Error
from techdocs.v1 import builds_pb2, docs_pb2

from tests.support.postgresql import PostgreSQL
from tests.support.publish_messages import header, send, whole
from tests.support.replicas import Replica, Replicas, replicas
from tests.support.rpc_client import component, problem, problem_of
from tests.support.seaweedfs import ACCESS_KEY, ALL_ACTIONS, BUCKET, SeaweedFS, seaweedfs
from tests.support.waiting import eventually

UNAVAILABLE = "STORAGE_UNAVAILABLE"
FAILED = builds_pb2.BUILD_STATE_FAILED


@pytest.fixture(scope="module")
def own_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """Return a server that these tests may stop."""
    with seaweedfs(tmp_path_factory.mktemp("own-seaweedfs")) as server:
        server.make_bucket(BUCKET)
        yield server


@dataclass
class Scene:
    """A server and a worker; site ``kept`` is in the server's memory, nobody has read site ``cold`` yet."""

    site: Replicas
    server: Replica
    s3: SeaweedFS
    seen: dict[str, list[str]] = field(default_factory=lambda: {"kept": [], "cold": []})

    async def permits(self, *actions: str, access_key: str = ACCESS_KEY) -> None:
        """Let the service do these actions with the bucket, none when it is another key that may."""
        self.s3.permit(*actions, access_key=access_key)
        wanted = ["Read" in actions, "Write" in actions] if access_key == ACCESS_KEY else [False, False]

        def holds() -> bool:
            return [self._may(self.s3.client.list_objects, BUCKET), self._may(self._put, b"probe")] == wanted

        await eventually(lambda: asyncio.to_thread(holds), what="the bucket permits that")

    def _put(self, content: bytes) -> None:
        self.s3.client.put_object(BUCKET, f"other/{len(content)}", BytesIO(content), len(content))

    @staticmethod
    def _may(call: Callable[..., object], *arguments: object) -> bool:
        try:
            answer = call(*arguments)
            return answer is None or list(cast(Iterator[object], answer)) is not None
        except S3Error:
            return False

    def fill(self) -> None:
        """Put things into the bucket until it takes no more."""
        for size in range(1_000_000, 1_000_060):
            try:
                self._put(os.urandom(size))
            except (MinioException, urllib3.exceptions.HTTPError):
                return
        raise AssertionError("the bucket still takes something")

    async def read(self, name: str) -> str:
        """Return "ok", or how the read of a page failed."""
        request = docs_pb2.GetContentRequest(entity=component(name), path="index.html")
        try:
            answer = await self.server.client.docs.GetContent(request, timeout=30)
        except grpc.aio.AioRpcError as error:
            return problem_of(error).reason or str(error)
        assert f"{name} of generation-" in answer.body.data.decode()
        return "ok"

    async def sync_fails(self) -> None:
        """Assert that a build of the site ends as it must while the bucket does not take it."""
        refusal = await problem(self.server.sync("kept"))
        listed = await self.server.client.builds.ListBuilds(builds_pb2.ListBuildsRequest(entity=component("kept")))
        build = listed.builds[0]
        assert (build.state, build.failure.reason) == (FAILED, UNAVAILABLE), (build, refusal.message)

    async def recovers(self) -> None:
        """Assert that everything works again by itself."""

        async def is_read() -> bool:
            return [await self.read(name) for name in ("kept", "cold")] == ["ok", "ok"]

        await eventually(is_read, timeout_seconds=30, what="both sites are read again")
        request = builds_pb2.SyncSiteRequest(entity=component("kept"), force=True)
        assert (await self.server.client.builds.SyncSite(request)).updated
        content = docs_pb2.GetContentRequest(entity=component("kept"), path="index.html")
        assert "kept of generation-1" in (await self.server.client.docs.GetContent(content)).body.data.decode()


@pytest.fixture
async def scene(tmp_path: Path, own_s3: SeaweedFS, postgresql_server: PostgreSQL) -> AsyncIterator[Scene]:
    async with replicas(tmp_path, own_s3, postgresql_server) as site:
        server, _ = await asyncio.gather(site.start("server", "server"), site.start("worker", "worker"))
        for name in ("kept", "cold"):
            site.catalog.add(name, {"index.md": f"{name} of generation-1\n"})
            page = {"index.html": f"{name} of generation-0".encode()}
            await send(server.service.grpc, whole(page, header(component(name), source_etag="0")))
        made = Scene(site, server, own_s3)
        assert await made.read("kept") == "ok"
        try:
            yield made
        finally:
            if own_s3.process.poll() is not None:
                await asyncio.to_thread(own_s3.start_again)
            own_s3.permit(*ALL_ACTIONS)


@asynccontextmanager
async def watching(scene: Scene) -> AsyncIterator[None]:
    """Read both sites until the context ends."""

    async def watch(name: str) -> None:
        while True:
            scene.seen[name].append(await scene.read(name))
            await asyncio.sleep(0.02)

    tasks = [asyncio.create_task(watch(name)) for name in scene.seen]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ended), ended


@pytest.mark.slow
async def test_bucket_that_goes_away_and_comes_back_is_never_taken_for_empty(scene: Scene) -> None:
    await asyncio.to_thread(scene.s3.stop)
    async with watching(scene):
        await eventually(lambda: UNAVAILABLE in scene.seen["cold"], timeout_seconds=40, what="a reader is told")
        await scene.sync_fails()
        await asyncio.to_thread(scene.s3.start_again)
        await eventually(lambda: scene.seen["cold"][-1:] == ["ok"], timeout_seconds=45, what="the reader goes on")
    assert set(scene.seen["kept"]) == {"ok"}
    assert set(scene.seen["cold"]) == {"ok", UNAVAILABLE}
    await scene.recovers()


@pytest.mark.slow
async def test_bucket_that_may_not_be_written_fails_builds_and_no_reader(scene: Scene) -> None:
    await scene.permits("Read", "List")
    async with watching(scene):
        await scene.sync_fails()
    assert set(scene.seen["kept"]) | set(scene.seen["cold"]) == {"ok"}
    await scene.permits(*ALL_ACTIONS)
    await scene.recovers()


@pytest.mark.slow
async def test_bucket_that_is_full_fails_builds_and_no_reader(scene: Scene) -> None:
    await asyncio.to_thread(scene.s3.stop)
    await asyncio.to_thread(scene.s3.start_again, most_volumes=8, volume_megabytes=1)
    await asyncio.to_thread(scene.fill)
    async with watching(scene):
        await scene.sync_fails()
    assert set(scene.seen["kept"]) | set(scene.seen["cold"]) == {"ok"}
    await asyncio.to_thread(scene.s3.stop)
    await asyncio.to_thread(scene.s3.start_again)
    await scene.recovers()


@pytest.mark.slow
async def test_key_that_is_no_longer_known_fails_what_is_not_in_memory(scene: Scene) -> None:
    await scene.permits(*ALL_ACTIONS, access_key="another")
    async with watching(scene):
        await eventually(lambda: UNAVAILABLE in scene.seen["cold"], timeout_seconds=40, what="a reader is told")
        await scene.sync_fails()
    assert set(scene.seen["kept"]) == {"ok"}
    assert set(scene.seen["cold"]) == {UNAVAILABLE}
    await scene.permits(*ALL_ACTIONS)
    await scene.recovers()
