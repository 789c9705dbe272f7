"""A real server that asks a catalog over HTTP, which checks its tokens by the keys the server publishes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from techdocs.v1 import auth_pb2, auth_pb2_grpc, builds_pb2, capabilities_pb2, docs_pb2

from tests.support.backstage_catalog import BackstageCatalogServer, Wrong, backstage_catalog, document
from tests.support.rpc_client import Client, collected, component, connected, problem
from tests.support.services import RunningService, running
from tests.support.sites import mkdocs_config, write_files


@dataclass
class Stage:
    """A server, and the catalog that it asks."""

    catalog: BackstageCatalogServer
    service: RunningService
    client: Client
    folder: Path

    async def sync(self, name: str) -> list[builds_pb2.StreamSyncResponse]:
        request = builds_pb2.StreamSyncRequest(entity=component(name))
        return await collected(self.client.builds.StreamSync(request))

    async def site(self, name: str) -> docs_pb2.GetSiteMetadataResponse:
        return await self.client.docs.GetSiteMetadata(docs_pb2.GetSiteMetadataRequest(entity=component(name)))

    async def entity(self, name: str) -> docs_pb2.GetEntityMetadataResponse:
        return await self.client.docs.GetEntityMetadata(docs_pb2.GetEntityMetadataRequest(entity=component(name)))


def published_keys(target: str) -> bytes:
    """Return the server's own keys, as a plugin that checks its tokens would get them."""
    with grpc.insecure_channel(target) as channel:
        answer = auth_pb2_grpc.AuthServiceStub(channel).ListSigningKeys(auth_pb2.ListSigningKeysRequest())
        return bytes(answer.body.data)


@pytest.fixture(params=["local"])
async def stage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
    with backstage_catalog() as catalog:
        files = tmp_path / "files"
        for name in ("demo", "other"):
            write_files(files / name, {"mkdocs.yml": mkdocs_config(name), "docs/index.md": f"# {name}\n"})
            location = {"backstage.io/managed-by-location": f"file:{files}/{name}/catalog-info.yaml"}
            catalog.put(document(name, annotations=location))
        settings = {
            "catalog_type": "backstage",
            "backstage_url": catalog.backend,
            "catalog_file_root": files,
            "builder": request.param,
        }
        async with running("server", tmp_path / "server", **settings) as service, connected(service.grpc) as client:
            catalog.key_set = lambda: published_keys(service.grpc)
            yield Stage(catalog, service, client, files)


async def test_entity_of_the_catalog_is_built_described_and_hidden_once_it_is_gone(stage: Stage) -> None:
    assert (await stage.sync("demo"))[-1].result.updated
    assert (await stage.site("demo")).metadata.site_name == "demo"
    answer = await stage.entity("demo")
    shown = json.loads(answer.body.data)
    assert shown["relations"] == [{"type": "ownedBy", "targetRef": "group:default/team-a"}]
    assert shown["locationMetadata"] == {"type": "dir", "target": "demo"}
    assert answer.summary.uid == "uid-demo"
    del stage.catalog.entities["component/default/other"]
    for call in (stage.site("other"), stage.entity("other"), stage.sync("other")):
        assert (await problem(call)).reason == "ENTITY_NOT_FOUND"


async def test_catalog_that_is_away_is_not_a_catalog_without_entities(stage: Stage) -> None:
    await stage.sync("demo")
    stage.catalog.wrong["/"] = Wrong(503)
    for call in (stage.site("other"), stage.entity("other"), stage.sync("other")):
        refused = await problem(call)
        assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "CATALOG_UNAVAILABLE")
        assert "127.0.0.1" not in refused.everything
    # Contents need no catalog.
    content = await stage.client.docs.GetContent(docs_pb2.GetContentRequest(entity=component("demo")))
    assert b"demo" in content.body.data


async def test_entity_without_an_annotation_is_refused_in_backstages_words(stage: Stage) -> None:
    stage.catalog.put(document("NoAnn", annotations={"backstage.io/techdocs-ref": None}))
    stage.catalog.put(document("elsewhere", annotations={"backstage.io/techdocs-ref": "github:foo"}))
    missing = "No backstage.io/techdocs-ref annotation provided in entity: NoAnn"
    for call in (stage.entity("noann"), stage.sync("noann")):
        refused = await problem(call)
        assert refused.reason == "NO_DOCS_SOURCE"
        assert refused.metadata["cause_name"] == "InputError"
        assert refused.metadata["cause_message"] == refused.metadata["sync_message"] == missing
    refused = await problem(stage.sync("elsewhere"))
    assert refused.metadata["sync_message"] == 'No preparer registered for type: "github"'
    assert refused.metadata["cause_message"] == "Invalid reference annotation github"


async def test_entity_without_an_id_cannot_be_synced(stage: Stage) -> None:
    stage.catalog.put(document("demo", uid=None))
    assert (await problem(stage.sync("demo"))).reason == "ENTITY_NOT_FOUND"


@pytest.mark.parametrize("stage", ["external"], indirect=True)
async def test_server_that_builds_nothing_answers_syncs_and_takes_no_builds(stage: Stage) -> None:
    stage.catalog.put(document("bare", annotations={"backstage.io/techdocs-ref": None}))
    for name in ("demo", "bare"):
        [answer] = await stage.sync(name)
        assert (answer.HasField("result"), answer.result.updated, answer.result.revision) == (True, False, "")
        reply = await stage.client.builds.SyncSite(builds_pb2.SyncSiteRequest(entity=component(name), force=True))
        assert (reply.updated, reply.build) == (False, "")
    assert (await problem(stage.sync("nobody"))).reason == "ENTITY_NOT_FOUND"
    refused = await problem(stage.client.builds.CreateBuild(builds_pb2.CreateBuildRequest(entity=component("demo"))))
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "BUILDER_DISABLED")
    told = await stage.client.capabilities.GetCapabilities(capabilities_pb2.GetCapabilitiesRequest())
    assert not told.capabilities.build_enabled
