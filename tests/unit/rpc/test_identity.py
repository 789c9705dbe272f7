import logging
import re

import grpc
import pytest
from techdocs.v1 import builds_pb2, docs_pb2, sites_pb2

from tests.support.rpc_client import collected, problem
from tests.support.waiting import eventually
from tests.unit.rpc.real_server import DEMO, Served, initial_metadata, trailing_metadata

OWN_ID = "0123-abcd-4567"
MINTED = re.compile(r"[0-9a-f]{32}")
UNUSABLE = ("short", "x" * 65, "spaces are bad", "semi;colon;semi;colon", "under_score_1")


async def test_the_id_of_the_caller_is_sent_back(service: Served) -> None:
    call = service.client.builds.ListBuilds(builds_pb2.ListBuildsRequest(), metadata=(("x-request-id", OWN_ID),))
    assert (await trailing_metadata(call))["x-request-id"] == OWN_ID


async def test_a_call_without_an_id_gets_a_new_one_each_time(service: Served) -> None:
    ids = []
    for _ in range(2):
        call = service.client.builds.ListBuilds(builds_pb2.ListBuildsRequest())
        ids.append(str((await trailing_metadata(call))["x-request-id"]))
    assert all(MINTED.fullmatch(identity) for identity in ids)
    assert ids[0] != ids[1]


@pytest.mark.parametrize("unusable", UNUSABLE)
async def test_an_id_that_could_harm_a_log_is_replaced(service: Served, unusable: str) -> None:
    call = service.client.builds.ListBuilds(builds_pb2.ListBuildsRequest(), metadata=(("x-request-id", unusable),))
    assert MINTED.fullmatch(str((await trailing_metadata(call))["x-request-id"]))


async def test_failures_have_an_id_too(service: Served) -> None:
    call = service.client.sites.GetSite(sites_pb2.GetSiteRequest(entity=DEMO), metadata=(("x-request-id", OWN_ID),))
    assert (await problem(call)).code is grpc.StatusCode.NOT_FOUND
    assert (await trailing_metadata(call))["x-request-id"] == OWN_ID


async def test_streams_have_an_id_before_their_first_message(service: Served) -> None:
    await service.publish(index="one")
    stream = service.client.docs.ReadContent(
        docs_pb2.ReadContentRequest(entity=DEMO), metadata=(("x-request-id", OWN_ID),)
    )
    assert (await initial_metadata(stream))["x-request-id"] == OWN_ID
    assert len(await collected(stream)) == 1
    assert (await trailing_metadata(stream))["x-request-id"] == OWN_ID


async def test_an_answer_of_one_message_is_not_written_in_two_parts(service: Served) -> None:
    call = service.client.builds.ListBuilds(builds_pb2.ListBuildsRequest())
    assert await initial_metadata(call) == {}
    await call


async def test_each_call_is_one_line_of_log_with_its_outcome(service: Served, caplog: pytest.LogCaptureFixture) -> None:
    def lines() -> list[tuple[str, str]]:
        records = [record.__dict__ for record in caplog.records if record.name == "techdocs.server.access"]
        ours = [record for record in records if record["method"] == "/techdocs.v1.DocsService/GetContent"]
        assert all(record["duration_seconds"] >= 0 for record in ours)
        return [(record["message"], record["code"]) for record in ours]

    await service.publish(index="one")
    with caplog.at_level(logging.INFO, logger="techdocs.server.access"):
        await service.get()
        await problem(service.get("missing.html"))
        await problem(service.get("../up"))
        # A line is written when the answer has been sent.
        await eventually(lambda: len(lines()) == 3, what="three lines of log")
    assert sorted(lines()) == [("rpc", "INVALID_ARGUMENT"), ("rpc", "NOT_FOUND"), ("rpc", "OK")]
