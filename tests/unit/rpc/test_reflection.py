from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import grpc
import pytest
from google.protobuf import descriptor_pb2
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from tests.support.rpc_client import collected, problem_at_end
from tests.unit.rpc.real_server import Served, served

VERSIONS = ("v1", "v1alpha")
SERVICES = {
    "techdocs.v1.AdminService",
    "techdocs.v1.AuthService",
    "techdocs.v1.BuildService",
    "techdocs.v1.CapabilitiesService",
    "techdocs.v1.DocsService",
    "techdocs.v1.PublishService",
    "techdocs.v1.SiteService",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
}


def asked(
    service: Served, version: str, requests: Sequence[ServerReflectionRequest]
) -> AsyncIterator[ServerReflectionResponse]:
    """Ask in one stream. The messages of both versions are the same."""
    call: grpc.aio.StreamStreamMultiCallable[ServerReflectionRequest, ServerReflectionResponse] = (
        service.client.channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=ServerReflectionRequest.SerializeToString,
            response_deserializer=ServerReflectionResponse.FromString,
        )
    )
    return aiter(call(iter(requests)))


async def answers(service: Served, version: str, *requests: ServerReflectionRequest) -> list[ServerReflectionResponse]:
    return await collected(asked(service, version, requests))


def files_of(response: ServerReflectionResponse) -> list[descriptor_pb2.FileDescriptorProto]:
    encoded = response.file_descriptor_response.file_descriptor_proto
    return [descriptor_pb2.FileDescriptorProto.FromString(file) for file in encoded]


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_service_is_listed(service: Served, version: str) -> None:
    [response] = await answers(service, version, ServerReflectionRequest(list_services="*"))
    assert {found.name for found in response.list_services_response.service} == SERVICES


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("symbol", "file"),
    [
        ("techdocs.v1.DocsService", "techdocs/v1/docs.proto"),
        ("techdocs.v1.DocsService.GetContent", "techdocs/v1/docs.proto"),
        ("techdocs.v1.BuildService.StreamSync", "techdocs/v1/builds.proto"),
        ("techdocs.v1.ContentInfo", "techdocs/v1/docs.proto"),
        ("techdocs.v1.ErrorReason", "techdocs/v1/errors.proto"),
        ("grpc.health.v1.Health.Check", "grpc_health/v1/health.proto"),
        ("grpc.reflection.v1.ServerReflection", "grpc/reflection/v1/reflection.proto"),
        ("grpc.reflection.v1.ServerReflection.ServerReflectionInfo", "grpc/reflection/v1/reflection.proto"),
    ],
)
async def test_a_symbol_leads_to_its_file(service: Served, version: str, symbol: str, file: str) -> None:
    [response] = await answers(service, version, ServerReflectionRequest(file_containing_symbol=symbol))
    assert file in {found.name for found in files_of(response)}


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_client_can_get_every_file_that_a_service_needs(service: Served, version: str) -> None:
    wanted, known = ["techdocs/v1/docs.proto", "techdocs/v1/builds.proto", "techdocs/v1/sites.proto"], {}
    while wanted:
        [response] = await answers(service, version, ServerReflectionRequest(file_by_filename=wanted.pop()))
        assert not response.HasField("error_response")
        for file in files_of(response):
            known[file.name] = file
            wanted += [name for name in file.dependency if name not in known]
    assert {"google/api/http.proto", "buf/validate/validate.proto", "techdocs/v1/openapi.proto"} <= set(known)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "symbol", ["techdocs.v1.Nothing", "techdocs.v1.DocsService.Nothing", "nothing.at.All.method", "", "..", "x" * 9999]
)
async def test_an_unknown_symbol_is_not_found_and_the_stream_goes_on(
    service: Served, version: str, symbol: str
) -> None:
    responses = await answers(
        service,
        version,
        ServerReflectionRequest(file_containing_symbol=symbol),
        ServerReflectionRequest(list_services="*"),
    )
    assert responses[0].error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
    assert responses[1].HasField("list_services_response")


@pytest.mark.parametrize("version", VERSIONS)
async def test_reflection_can_be_turned_off(tmp_path: Path, version: str) -> None:
    async with served(tmp_path, reflection=False) as service:
        # Nothing is sent: a client that still writes when the refusal comes may tell of that instead.
        _, refusal = await problem_at_end(asked(service, version, []))
        assert refusal.code is grpc.StatusCode.UNIMPLEMENTED
