"""What is left, and what goes on, after a full disk, a killed build and a killed server."""

import asyncio
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
from techdocs.v1 import builds_pb2, docs_pb2

from tests.integration.build_control import Site, building, events_of, restarted
from tests.support.processes import builds_of, is_running, zygotes_of
from tests.support.rpc_client import collected, component, problem, problem_at_end
from tests.support.waiting import eventually

MIB = 1024 * 1024
BIG_BYTES = 8 * MIB
# Below the size of the big file, above the largest that SQLite's log grows to.
FULL_BYTES = 6 * MIB


@contextmanager
def full_disk(site: Site) -> Iterator[None]:
    """Let no file of the server grow beyond `FULL_BYTES`, as root and as anybody else: writes then fail for real."""
    pid = site.service.process.pid
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (FULL_BYTES, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


def write_big(site: Site, name: str) -> bytes:
    """Give a component a file too big for the full disk."""
    content = os.urandom(BIG_BYTES)
    (site.catalog.folder / name / "docs" / "big.bin").write_bytes(content)
    return content


async def test_a_disk_that_is_full_at_publishing_keeps_the_old_site_and_is_said(tmp_path: Path) -> None:
    async with building(tmp_path) as site:
        site.add("demo")
        first = await site.sync("demo")
        content = write_big(site, "demo")
        site.edit("demo", 1)
        site.hold()
        build = await site.create("demo")
        await site.held_child()
        with full_disk(site):
            waiting = asyncio.create_task(problem(site.sync("demo")))
            site.release()
            ended = await site.ended(build)
            refusal = await waiting
            assert "generation-0" in await site.page("demo")
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE")
        assert refusal.metadata["phase"] == "publishing"
        assert ended.state == builds_pb2.BUILD_STATE_FAILED
        assert ended.error.message == refusal.message
        assert str(tmp_path) not in refusal.everything
        assert site.leftovers() == []

        second = await site.sync("demo")
        assert second.updated
        assert second.revision != first.revision
        request = docs_pb2.ReadContentRequest(entity=component("demo"), path="big.bin")
        messages = await collected(site.client.docs.ReadContent(request))
        assert b"".join(message.body.data for message in messages) == content
        assert "generation-1" in await site.page("demo")


async def test_a_disk_that_is_full_while_the_source_is_copied_is_no_fault_of_its_author(tmp_path: Path) -> None:
    async with building(tmp_path) as site:
        site.add("demo")
        await site.sync("demo")
        write_big(site, "demo")
        with full_disk(site):
            refusal = await problem(site.sync("demo"))
            assert "generation-0" in await site.page("demo")
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE")
        assert str(tmp_path) not in refusal.everything
        assert site.leftovers() == []
        assert (await site.sync("demo")).updated


async def test_a_killed_build_fails_and_the_next_one_is_as_good_as_ever(tmp_path: Path) -> None:
    async with building(tmp_path) as site:
        site.add("demo")
        await site.sync("demo")
        site.edit("demo", 1)
        site.hold()
        build = await site.create("demo")
        os.kill(await site.held_child(), signal.SIGKILL)
        ended = await site.ended(build)
        assert ended.state == builds_pb2.BUILD_STATE_FAILED
        assert "killed by signal 9 (SIGKILL)" in ended.error.message
        assert "generation-0" in await site.page("demo")
        assert site.leftovers() == []
        assert builds_of(site.service.process.pid) == []
        site.release()
        assert (await site.sync("demo")).updated
        assert "generation-1" in await site.page("demo")


async def test_a_killed_server_leaves_nothing_half_done(tmp_path: Path) -> None:
    async with building(tmp_path, build_concurrency=1) as site:
        site.add("running", "waiting", "patient")
        await site.sync("running")
        site.edit("running", 1)
        site.hold()
        interrupted = await site.create("running")
        await site.reached(interrupted, builds_pb2.BUILD_STATE_GENERATING)
        queued = [await site.create(name) for name in ("waiting", "patient")]
        child = await site.held_child()
        watch = aiter(site.client.builds.WatchBuild(builds_pb2.WatchBuildRequest(name=interrupted)))
        seen = [(await anext(watch)).event]
        syncing = asyncio.create_task(problem(site.sync("running")))
        assert (await site.build(queued[0])).state == builds_pb2.BUILD_STATE_QUEUED
        loaded = zygotes_of(site.service.process.pid)
        await site.service.kill()
        more, broken = await problem_at_end(watch)
        seen += events_of(more)
        assert broken.code is (await syncing).code is grpc.StatusCode.UNAVAILABLE
        await eventually(lambda: not any(map(is_running, [child, *loaded])), what="everything died with its server")

        site.release()
        async with restarted(site) as again:
            assert "generation-0" in await again.page("running")
            await check_interrupted(again, interrupted, seen)
            for name in queued:
                assert (await again.ended(name)).state == builds_pb2.BUILD_STATE_SUCCEEDED
            assert "generation-0" in await again.page("patient")
            assert (await again.sync("running")).updated
            assert "generation-1" in await again.page("running")
            assert again.leftovers() == []


async def test_a_build_that_had_only_begun_dies_with_its_server_too(tmp_path: Path) -> None:
    async with building(tmp_path) as site:
        site.add("demo")
        site.hold()
        build = await site.create("demo")
        child = await new_child(site)
        try:
            # It has hardly run a line of ours yet, and has its whole job when the server answers again.
            os.kill(child, signal.SIGSTOP)
            await site.build(build)
            await site.service.kill()
            os.kill(child, signal.SIGCONT)
            await eventually(lambda: not is_running(child), what="the build died with its server")
        finally:
            if is_running(child):
                os.kill(child, signal.SIGKILL)


async def new_child(site: Site) -> int:
    """Return the process of a build as soon as there is one. Before its exec it still is the server's own image."""
    server = site.service.process.pid
    async with asyncio.timeout(30):
        while not (found := [child for child in builds_of(server) if image_of(child) != image_of(server)]):
            await asyncio.sleep(0)
    return found[0]


def image_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


async def check_interrupted(site: Site, name: str, seen: list[builds_pb2.BuildEvent]) -> None:
    """Assert that a build that its server's end interrupted is told to everybody who asks."""
    build = await site.build(name)
    assert build.state == builds_pb2.BUILD_STATE_FAILED
    assert "the server stopped while this build was running" in build.error.message
    events = await site.events(name)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert events[: len(seen)] == seen, "what a watcher saw before the crash is what it can read after it"
    assert events[-1].state_change == build
    assert [event.sequence for event in await site.events(name, after=seen[-1].sequence)] == list(
        range(seen[-1].sequence + 1, len(events) + 1)
    )
    resumed = builds_pb2.StreamSyncRequest(entity=build.entity, build=name, after_sequence=seen[-1].sequence)
    rest, refusal = await problem_at_end(site.client.builds.StreamSync(resumed))
    assert [message.event for message in rest if message.HasField("event")] == events[len(seen) :]
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "BUILD_FAILED")


async def test_a_server_killed_while_it_publishes_serves_one_whole_site(tmp_path: Path) -> None:
    async with building(tmp_path) as site:
        site.add("demo")
        first = await site.sync("demo")
        write_big(site, "demo")
        site.edit("demo", 1)
        build = await site.create("demo")
        async for message in site.client.builds.WatchBuild(builds_pb2.WatchBuildRequest(name=build)):
            if message.event.state_change.state == builds_pb2.BUILD_STATE_PUBLISHING:
                break
        await site.service.kill()
        async with restarted(site) as again:
            listing = await again.client.docs.ListContents(docs_pb2.ListContentsRequest(entity=component("demo")))
            ended = await again.build(build)
            assert ended.state in {builds_pb2.BUILD_STATE_FAILED, builds_pb2.BUILD_STATE_SUCCEEDED}
            generation = 0 if listing.revision == first.revision else 1
            assert f"generation-{generation}" in await again.page("demo")
            assert ("big.bin" in {content.path for content in listing.contents}) == bool(generation)
            assert (await again.sync("demo")).revision
            assert "generation-1" in await again.page("demo")
            assert again.leftovers() == []
