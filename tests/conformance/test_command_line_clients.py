"""Every method through grpcurl and buf curl: what a stranger with a terminal sees."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping

import grpc
import pytest
import pytest_asyncio
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import MethodDescriptor
from techdocs.v1 import admin_pb2, auth_pb2, builds_pb2, capabilities_pb2, docs_pb2, publish_pb2, sites_pb2

from tests.conformance.command_line_clients import BufCurl, Client, GRPCurl
from tests.support.published import Catalog, Deployment, deployed

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVICES = [
    service
    for module in (admin_pb2, auth_pb2, builds_pb2, capabilities_pb2, docs_pb2, publish_pb2, sites_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
]
METHODS: Mapping[str, MethodDescriptor] = {method.name: method for service in SERVICES for method in service.methods}
REFLECTION = ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]
CLIENTS: Mapping[str, Client] = {
    "grpcurl": GRPCurl(),
    "buf, reflection v1": BufCurl("grpc-v1"),
    "buf, reflection v1alpha": BufCurl("grpc-v1alpha"),
}

DEMO = {"kind": "component", "name": "demo"}
NOBODY = {"kind": "component", "name": "nobody"}
NEVER = "f" * 64
BY_HAND = {"kind": "component", "name": "by-hand"}
EMPTY = {"sha256": hashlib.sha256().hexdigest(), "sizeBytes": "0"}
# BUILD, REVISION and OLD stand for a build that ended, the current revision and one that is not.
REQUESTS: Mapping[str, object] = {
    "SyncSite": {"entity": DEMO},
    "StreamSync": {"entity": DEMO, "build": "BUILD", "afterSequence": "1"},
    "CreateBuild": {"entity": DEMO, "force": False},
    "GetBuild": {"name": "BUILD"},
    "ListBuilds": {"entity": DEMO, "states": ["BUILD_STATE_SUCCEEDED"], "pageSize": 1},
    "CancelBuild": {"name": "BUILD"},
    "WatchBuild": {"name": "BUILD"},
    "GetCapabilities": {},
    "CreateLimitedToken": {},
    "ListSigningKeys": {},
    "GetSiteMetadata": {"entity": DEMO},
    "GetEntityMetadata": {"entity": DEMO},
    "ReadContent": {"entity": DEMO, "path": "assets/big.bin"},
    "GetContent": {"entity": DEMO, "path": "assets/data.json", "revision": "REVISION"},
    "ListContents": {"entity": DEMO, "pathPrefix": "assets/"},
    "FindMissingBlobs": {"entity": BY_HAND, "digests": [EMPTY]},
    # The only list: a stream of several messages.
    "PublishSite": [
        {"header": {"entity": BY_HAND, "siteName": "By hand"}},
        {"manifest": {"files": [{"path": "index.html", "digest": EMPTY}]}},
        {"chunk": {"sha256": EMPTY["sha256"]}},
    ],
    "GetSite": {"entity": DEMO},
    "ListSites": {"namespace": "default"},
    "DeleteSite": {"entity": NOBODY, "allowMissing": True},
    "ListRevisions": {"entity": DEMO},
    "GetRevision": {"entity": DEMO, "revision": "REVISION"},
    "RollbackSite": {"entity": DEMO, "revision": "REVISION"},
    "PinRevision": {"entity": DEMO, "revision": "REVISION"},
    "UnpinRevision": {"entity": DEMO, "revision": "REVISION"},
    "DeleteRevision": {"entity": DEMO, "revision": "OLD"},
    "ListSiteChanges": {"entity": DEMO, "pageSize": 1},
    "CollectGarbage": {"dryRun": True},
}
ENDLESS = {"WatchSites"}
REFUSED: Mapping[str, tuple[object, grpc.StatusCode, str]] = {
    "SyncSite": ({"entity": NOBODY}, grpc.StatusCode.NOT_FOUND, "ENTITY_NOT_FOUND"),
    "StreamSync": ({"entity": NOBODY}, grpc.StatusCode.NOT_FOUND, "ENTITY_NOT_FOUND"),
    "CreateBuild": ({"entity": {}}, grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID"),
    "GetBuild": ({"name": "builds/never-was"}, grpc.StatusCode.NOT_FOUND, "BUILD_NOT_FOUND"),
    "ListBuilds": ({"pageToken": "never-given"}, grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID"),
    "WatchBuild": ({"name": "builds/never-was"}, grpc.StatusCode.NOT_FOUND, "BUILD_NOT_FOUND"),
    "ReadContent": ({"entity": DEMO, "path": "no/page"}, grpc.StatusCode.NOT_FOUND, "CONTENT_NOT_FOUND"),
    "GetContent": (
        {"entity": DEMO, "path": "assets/data.json", "readOffset": "1000"},
        grpc.StatusCode.OUT_OF_RANGE,
        "RANGE_NOT_SATISFIABLE",
    ),
    "PublishSite": (
        [{"header": {"entity": BY_HAND}}, {"manifest": {"files": [{"path": "../up", "digest": EMPTY}]}}],
        grpc.StatusCode.INVALID_ARGUMENT,
        "MANIFEST_INVALID",
    ),
    "DeleteSite": ({"entity": DEMO, "etag": "another"}, grpc.StatusCode.ABORTED, "ETAG_MISMATCH"),
    "DeleteRevision": ({"entity": DEMO, "revision": NEVER}, grpc.StatusCode.NOT_FOUND, "REVISION_NOT_FOUND"),
    "GetRevision": ({"entity": DEMO, "revision": NEVER}, grpc.StatusCode.NOT_FOUND, "REVISION_NOT_FOUND"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Deployment]:
    folder = tmp_path_factory.mktemp("clients")
    catalog = Catalog(folder / "catalog")
    catalog.add("demo", big=True)
    async with deployed(folder, catalog) as running:
        # One revision that stays, and one for each client to delete.
        for number in range(len(CLIENTS) + 1):
            catalog.write("demo", "index.md", f"# Edition {number}\n")
            await running.sync("demo")
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def names(service: Deployment) -> Mapping[str, str]:
    """What BUILD and REVISION stand for."""
    (site,) = await GRPCurl().call(service.server.grpc, "techdocs.v1.SiteService", "GetSite", {"entity": DEMO})
    (built,) = await GRPCurl().call(service.server.grpc, "techdocs.v1.BuildService", "ListBuilds", {})
    revision = site["site"].get("currentRevision") or site["site"]["current_revision"]
    return {"BUILD": built["builds"][-1]["name"], "REVISION": revision}


async def oldest(service: Deployment) -> str:
    """What OLD stands for now."""
    answers = await GRPCurl().call(service.server.grpc, "techdocs.v1.SiteService", "ListRevisions", {"entity": DEMO})
    return str(answers[0]["revisions"][-1]["revision"])


def filled(request: object, names: Mapping[str, str]) -> object:
    text = json.dumps(request)
    for name, value in names.items():
        text = text.replace(f'"{name}"', f'"{value}"')
    return json.loads(text)


async def test_every_method_has_a_case() -> None:
    assert set(REQUESTS) | ENDLESS == set(METHODS)
    assert set(REFUSED) <= set(METHODS)


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
async def test_services_are_listed(service: Deployment, client: Client) -> None:
    expected = {each.full_name for each in SERVICES} | {"grpc.health.v1.Health", *REFLECTION}
    assert set(await client.services(service.server.grpc)) == expected


@pytest.mark.parametrize("version", ["grpc-v1", "grpc-v1alpha"])
async def test_methods_are_listed(service: Deployment, version: str) -> None:
    listed = await BufCurl(version).methods(service.server.grpc)
    assert {f"{method.containing_service.full_name}/{name}" for name, method in METHODS.items()} <= set(listed)


async def test_services_methods_and_messages_are_described(service: Deployment) -> None:
    described = {
        **{each.full_name: f"service {each.name} {{" for each in SERVICES},
        **{method.full_name: f"rpc {name} ( " for name, method in METHODS.items()},
        **{method.input_type.full_name: f"message {method.input_type.name} " for method in METHODS.values()},
        "techdocs.v1.BuildState": "enum BuildState {",
        "techdocs.v1.ErrorReason": "enum ErrorReason {",
        "grpc.reflection.v1.ServerReflection.ServerReflectionInfo": "rpc ServerReflectionInfo ( ",
    }
    limit = asyncio.Semaphore(4)

    async def describe(symbol: str) -> str:
        async with limit:
            return await GRPCurl().describe(service.server.grpc, symbol)

    told = await asyncio.gather(*map(describe, described))
    for (symbol, form), text in zip(described.items(), told, strict=True):
        assert text.startswith(f"{symbol} is a")
        assert form in text


@pytest.mark.parametrize("method", REQUESTS)
@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
async def test_method_answers_with_its_messages(
    service: Deployment, names: Mapping[str, str], client: Client, method: str
) -> None:
    described = METHODS[method]
    if method == "DeleteRevision":
        names = {**names, "OLD": await oldest(service)}
    request = filled(REQUESTS[method], names)
    answers = await client.call(service.server.grpc, described.containing_service.full_name, method, request)
    for answer in answers:
        json_format.ParseDict(answer, message_factory.GetMessageClass(described.output_type)())
    if described.server_streaming:
        assert len(answers) > 2, "a stream of several messages"
    else:
        assert len(answers) == 1


async def test_stream_without_end_shows_what_comes_until_one_has_seen_enough(service: Deployment) -> None:
    first = await GRPCurl().call_for(
        2.0, service.server.grpc, "techdocs.v1.SiteService", "WatchSites", {"afterSequence": "0"}
    )
    assert first[0] == {}
    assert first[1]["change"]["action"] == "SITE_ACTION_PUBLISHED"
    assert int(first[1]["sequence"]) >= 1


@pytest.mark.parametrize("method", REFUSED)
@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
async def test_refusal_shows_its_reason(
    service: Deployment, names: Mapping[str, str], client: Client, method: str
) -> None:
    request, code, reason = REFUSED[method]
    described = METHODS[method].containing_service.full_name
    failure = await client.failure(service.server.grpc, described, method, filled(request, names))
    assert failure.code == code.value[0]
    assert (failure.info.reason, failure.info.domain) == (reason, "techdocs")


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
async def test_health_can_be_asked_without_a_schema(service: Deployment, client: Client) -> None:
    answers = await client.call(
        service.server.grpc, "grpc.health.v1.Health", "Check", {"service": "techdocs.v1.DocsService"}
    )
    assert answers == [{"status": "SERVING"}]
