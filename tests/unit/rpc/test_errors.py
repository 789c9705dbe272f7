import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2
from techdocs.v1 import builds_pb2, docs_pb2, entity_pb2, sites_pb2
from techdocs_server.domain.errors import FieldInvalid, FieldViolation, StorageUnavailable

from tests.support.rpc_client import Problem, component, problem, problem_at_end
from tests.unit.rpc.real_server import DEMO, Served, served

OWN_ID = "0123-abcd-4567"
REVISION = "ab" * 32
UUID = "a6b1d3f0-5b0c-4f1e-9d0e-111111111111"
# Clients take 8 KiB of trailers for certain; half of it leaves room for what proxies add.
MOST_TRAILING_BYTES = 4096
INNER = "/var/lib/techdocs of hunter2"

Call = Callable[[Served], Awaitable[object]]


def raising(error: Exception) -> Callable[[], Awaitable[None]]:
    async def fail() -> None:
        raise error

    return fail


async def test_a_crash_is_internal_without_its_text_and_with_the_id_of_its_log_line(
    service: Served, caplog: pytest.LogCaptureFixture
) -> None:
    await service.publish(index="one")
    service.docs.before = raising(RuntimeError(INNER))
    request = docs_pb2.GetContentRequest(entity=DEMO)
    refusal = await problem(service.client.docs.GetContent(request, metadata=(("x-request-id", OWN_ID),)))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert refusal.metadata["request_id"] == OWN_ID
    assert OWN_ID in refusal.message
    assert "hunter2" not in refusal.everything
    assert "RuntimeError" not in refusal.everything
    crashes = [record for record in caplog.records if record.getMessage() == "rpc_crashed"]
    assert [record.levelno for record in crashes] == [logging.ERROR]
    assert crashes[0].exc_info is not None
    assert INNER in str(crashes[0].exc_info[1]), "whoever runs the server finds the cause in its log"


async def test_a_crash_in_a_stream_is_told_in_the_same_way(service: Served) -> None:
    await service.publish(index="one")
    service.docs.before = raising(KeyError(INNER))
    stream = service.client.docs.ReadContent(docs_pb2.ReadContentRequest(entity=DEMO))
    messages, refusal = await problem_at_end(stream)
    assert (messages, refusal.reason) == ([], "INTERNAL")
    assert "hunter2" not in refusal.everything
    assert refusal.metadata["request_id"]


async def test_the_server_goes_on_after_a_crash(service: Served) -> None:
    await service.publish(index="one")
    before = service.docs.before
    service.docs.before = raising(ZeroDivisionError("0"))
    await asyncio.gather(*(problem(service.get()) for _ in range(10)))
    service.docs.before = before
    assert (await service.get()).body.data == b"one"


REFUSED: dict[str, Call] = {
    "ENTITY_NOT_FOUND": lambda service: service.client.docs.GetEntityMetadata(
        docs_pb2.GetEntityMetadataRequest(entity=component("nobody"))
    ),
    "SITE_NOT_FOUND": lambda service: service.client.docs.GetContent(
        docs_pb2.GetContentRequest(entity=component("nobody"))
    ),
    "REVISION_NOT_FOUND": lambda service: service.client.sites.GetRevision(
        sites_pb2.GetRevisionRequest(entity=DEMO, revision=REVISION)
    ),
    "CONTENT_NOT_FOUND": lambda service: service.get("nothing.html"),
    "BUILD_NOT_FOUND": lambda service: service.client.builds.GetBuild(builds_pb2.GetBuildRequest(name="builds/x")),
    "FIELD_INVALID": lambda service: service.client.builds.GetBuild(builds_pb2.GetBuildRequest(name="x")),
    "PAGE_TOKEN_INVALID": lambda service: service.client.builds.ListBuilds(
        builds_pb2.ListBuildsRequest(page_token="x")
    ),
    "ETAG_MISMATCH": lambda service: service.client.sites.DeleteSite(
        sites_pb2.DeleteSiteRequest(entity=DEMO, etag='"other"')
    ),
    "RANGE_NOT_SATISFIABLE": lambda service: service.client.docs.GetContent(
        docs_pb2.GetContentRequest(entity=DEMO, read_offset=1000)
    ),
}


@pytest.mark.parametrize("reason", REFUSED)
async def test_every_refusal_carries_its_reason(service: Served, reason: str) -> None:
    await service.publish(index="one")
    refusal = await problem(REFUSED[reason](service))
    check_shape(refusal, reason)


async def test_a_request_id_with_other_arguments_is_refused(service: Served) -> None:
    service.pipeline.write(index="one")
    await service.client.builds.CreateBuild(builds_pb2.CreateBuildRequest(entity=DEMO, request_id=UUID))
    other = builds_pb2.CreateBuildRequest(entity=DEMO, request_id=UUID, force=True)
    check_shape(await problem(service.client.builds.CreateBuild(other)), "REQUEST_ID_REUSED")


async def test_a_failed_build_names_its_build_and_phase(service: Served) -> None:
    service.pipeline.write(index="one", FAIL="the theme is broken")
    refusal = await problem(service.sync())
    check_shape(refusal, "BUILD_FAILED")
    assert refusal.metadata["phase"] == "generating"
    assert refusal.metadata["build"].startswith("builds/")
    assert "the theme is broken" in refusal.message


async def test_a_cancelled_build_is_told_to_who_waits_for_it(service: Served) -> None:
    service.pipeline.write(index="one")
    service.pipeline.generator.gate.clear()
    waiting = asyncio.create_task(service.sync())
    await service.pipeline.generator.started.wait()
    build = (await service.client.builds.ListBuilds(builds_pb2.ListBuildsRequest())).builds[0]
    delete = sites_pb2.DeleteSiteRequest(entity=DEMO, allow_missing=True)
    in_progress = await problem(service.client.sites.DeleteSite(delete))
    await service.client.builds.CancelBuild(builds_pb2.CancelBuildRequest(name=build.name))
    check_shape(in_progress, "BUILD_IN_PROGRESS")
    check_shape(await problem(waiting), "BUILD_CANCELLED")


async def test_a_full_queue_says_when_to_come_back(tmp_path: Path) -> None:
    async with served(tmp_path, build_queue_limit=0) as service:
        service.pipeline.write(index="one")
        refusal = await problem(service.sync())
        check_shape(refusal, "BUILD_QUEUE_FULL")
        assert refusal.retry_seconds == 10.0


async def test_a_broken_store_is_unavailable_and_not_missing(service: Served) -> None:
    await service.publish(index="one")
    service.docs.before = raising(StorageUnavailable("the disk is gone"))
    refusal = await problem(service.get("nothing.html"))
    check_shape(refusal, "STORAGE_UNAVAILABLE")
    assert (refusal.code, refusal.retry_seconds) == (grpc.StatusCode.UNAVAILABLE, 5.0)


HUGE: dict[str, Call] = {
    "a path of the longest kind": lambda service: service.get("ü" * 512),
    "a path whose characters need most bytes": lambda service: service.get("\U0001f4d8" * 256),
    "a name of the longest kind": lambda service: service.client.builds.SyncSite(
        builds_pb2.SyncSiteRequest(entity=entity_pb2.EntityRef(namespace="n" * 63, kind="k" * 63, name="x" * 63))
    ),
    "a build name of megabytes": lambda service: service.client.builds.GetBuild(
        builds_pb2.GetBuildRequest(name="builds/" + "ü" * 1_000_000)
    ),
    "a path of megabytes": lambda service: service.get("\U0001f4d8" * 900_000),
    "an etag of megabytes": lambda service: service.client.sites.DeleteSite(
        sites_pb2.DeleteSiteRequest(entity=DEMO, etag="日" * 1_000_000)
    ),
    "thousands of wrong fields": lambda service: service.client.docs.GetContent(
        docs_pb2.GetContentRequest(entity=DEMO, if_none_match=[""] * 100_000, path="..", revision="x", read_limit=-1)
    ),
    "every field wrong": lambda service: service.client.docs.GetContent(
        docs_pb2.GetContentRequest(
            entity=entity_pb2.EntityRef(namespace="ü" * 99, kind="ü" * 99, name="ü" * 99),
            if_none_match=["日" * 9999] * 33,
            path="//" + "\U0001f4d8" * 9999,
            revision="\U0001f4d8" * 9999,
            read_limit=-1,
        )
    ),
    "a token of the longest kind": lambda service: service.client.builds.ListBuilds(
        builds_pb2.ListBuildsRequest(page_token="ü" * 1024)
    ),
}


@pytest.mark.parametrize("what", HUGE)
async def test_huge_inputs_make_small_refusals(service: Served, what: str) -> None:
    await service.publish(index="one")
    refusal = await problem(HUGE[what](service))
    assert refusal.reason not in {"", "INTERNAL"}
    check_shape(refusal, refusal.reason)


@pytest.mark.parametrize("character", ["x", "ü", "日", "\U0001f4d8", "%", "\x7f"])
async def test_a_long_failure_of_a_build_makes_a_small_refusal(service: Served, character: str) -> None:
    service.pipeline.write(index="one", FAIL=character * 8000)
    refusal = await problem(service.sync())
    check_shape(refusal, "BUILD_FAILED")
    build = await service.client.builds.GetBuild(builds_pb2.GetBuildRequest(name=refusal.metadata["build"]))
    assert character in build.build.error.message


async def test_many_long_violations_make_a_small_refusal(service: Served) -> None:
    await service.publish(index="one")
    violations = [FieldViolation(f"entity.{number}." + "日" * 5000, "\U0001f4d8" * 5000) for number in range(500)]
    service.docs.before = raising(FieldInvalid(*violations))
    check_shape(await problem(service.get()), "FIELD_INVALID")


async def test_broken_characters_do_not_break_the_refusal(service: Served) -> None:
    await service.publish(index="one")
    service.docs.before = raising(StorageUnavailable("no \udcff\ud800 here"))
    refusal = await problem(service.get())
    check_shape(refusal, "STORAGE_UNAVAILABLE")


def check_shape(refusal: Problem, reason: str) -> None:
    """Assert what holds for every refusal."""
    assert refusal.reason == reason
    assert refusal.status.code == refusal.code.value[0]
    assert refusal.status.message == refusal.message
    assert refusal.status.details[0].Is(error_details_pb2.ErrorInfo.DESCRIPTOR), "ErrorInfo comes first"
    assert 0 < len(refusal.message) <= 512
    assert refusal.trailing_bytes < MOST_TRAILING_BYTES
    assert "Traceback" not in refusal.everything
