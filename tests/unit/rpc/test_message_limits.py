import grpc
from techdocs.v1 import builds_pb2, docs_pb2

from tests.support.rpc_client import problem
from tests.unit.rpc.real_server import DEMO, Served

MAX_RECEIVE_BYTES = 4 * 1024 * 1024
MAX_METADATA_BYTES = 32 * 1024


async def test_a_request_over_the_limit_is_refused_and_the_connection_goes_on(service: Served) -> None:
    await service.publish(index="one")
    request = docs_pb2.GetContentRequest(entity=DEMO, path="x" * MAX_RECEIVE_BYTES)
    refusal = await problem(service.client.docs.GetContent(request))
    assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (await service.get()).body.data == b"one"


async def test_a_request_just_below_the_limit_is_answered_by_the_contract(service: Served) -> None:
    request = docs_pb2.GetContentRequest(entity=DEMO, path="x" * (MAX_RECEIVE_BYTES - 1000))
    refusal = await problem(service.client.docs.GetContent(request))
    assert (refusal.reason, list(refusal.violations)) == ("FIELD_INVALID", ["path"])


async def test_metadata_over_the_limit_is_refused_and_the_connection_goes_on(service: Served) -> None:
    await service.publish(index="one")
    call = service.client.builds.ListBuilds(
        builds_pb2.ListBuildsRequest(), metadata=(("x-padding", "x" * MAX_METADATA_BYTES),)
    )
    assert (await problem(call)).code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (await service.get()).body.data == b"one"
