"""Under the policy `catalog` nobody learns of a site that the catalog hides, by whichever method."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.message import Message
from techdocs.v1 import builds_pb2, docs_pb2, entity_pb2, sites_pb2
from techdocs_bridge.transcoding.routes import services
from techdocs_server.adapters.authentication.key_fetching import KeyFetcher
from techdocs_server.rpc.access_rules import Scope, access_rules
from techdocs_server.rpc.server import AccessControl
from techdocs_server.services.authorizing import CatalogPolicy

from tests.support.authenticators import ADMIN, READER, authenticator
from tests.support.pipeline import ENTITY, Pipeline
from tests.support.record_values import entity
from tests.support.rpc_client import Problem, problem
from tests.support.token_issuers import ALICE, Backstage, backstage
from tests.support.viewing import ViewedCatalog
from tests.unit.rpc.any_method import METHODS, Metadata, failure, request_of
from tests.unit.rpc.real_server import DEMO, Served, served

RULES = access_rules(services())
OF_ENTITY = sorted(path for path, rule in RULES.items() if rule.scope is Scope.ENTITY and not rule.is_granted_by_name)
OF_BUILD = sorted(path for path, rule in RULES.items() if rule.scope is Scope.BUILD and not rule.is_granted_by_name)
OF_ALL = sorted(path for path, rule in RULES.items() if rule.scope is Scope.ALL and not rule.is_granted_by_name)
ABSENT = entity_pb2.EntityRef(namespace=ENTITY.namespace, kind=ENTITY.kind, name="gone")
"""As long as the other name, so that messages about the two can be compared byte by byte."""


@pytest.fixture(scope="module")
def issuers() -> Iterator[Backstage]:
    with backstage() as found:
        yield found


class Guarded:
    """A server whose site only Alice may see, and tokens for it."""

    def __init__(self, service: Served, catalog: ViewedCatalog, issuers: Backstage) -> None:
        self.service, self.catalog = service, catalog
        self.alice = [("authorization", f"Bearer {issuers.user_token()}")]
        self.bob = [("authorization", f"Bearer {issuers.user_token('user:default/bob')}")]
        self.admin = [("authorization", f"Bearer {ADMIN}")]
        self.program = [("authorization", f"Bearer {READER}")]
        self.bobs_cookie = [("authorization", f"Bearer {issuers.limited_token('user:default/bob')}")]

    async def call(self, path: str, request: Message, given: Metadata) -> Problem | None:
        """Call a method and return how it failed, None when it did not."""
        return await failure(self.service.client.channel, path, request, given)

    async def build(self) -> str:
        """Build the site in Alice's name and return the build."""
        self.service.pipeline.write(index="# Hello")
        request = builds_pb2.SyncSiteRequest(entity=DEMO, force=True)
        return (await self.service.client.builds.SyncSite(request, metadata=self.alice)).build


@pytest.fixture
async def guarded(issuers: Backstage, tmp_path: Path) -> AsyncIterator[Guarded]:
    catalog = ViewedCatalog()
    catalog.put(ENTITY, ALICE)
    async with KeyFetcher() as fetcher:
        judge = authenticator(issuers, fetcher)

        def access(stores: Pipeline) -> AccessControl:
            return AccessControl(judge, CatalogPolicy(catalog, stores.builds))

        async with served(tmp_path, access=access) as service:
            yield Guarded(service, catalog, issuers)


def about(path: str, ref: entity_pb2.EntityRef) -> Message:
    """Return a request about an entity, with what else its method needs."""
    fields = METHODS[path].input_type.fields_by_name
    more = {"path": "index.html"} if "path" in fields else {}
    if path.endswith("GetRevision"):
        more["revision"] = "a" * 64
    return request_of(path, entity=ref, **more)


def test_there_are_methods_of_each_scope() -> None:
    assert len(OF_ENTITY) >= 12
    assert OF_BUILD == ["/techdocs.v1.BuildService/GetBuild", "/techdocs.v1.BuildService/WatchBuild"]
    assert OF_ALL == ["/techdocs.v1.SiteService/ListSites", "/techdocs.v1.SiteService/WatchSites"]


async def test_hidden_site_is_as_if_absent_by_every_method(guarded: Guarded) -> None:
    await guarded.build()
    for path in OF_ENTITY:
        hidden = await guarded.call(path, about(path, DEMO), guarded.bob)
        absent = await guarded.call(path, about(path, ABSENT), guarded.bob)
        assert hidden is not None, path
        assert absent is not None, path
        assert (hidden.code, hidden.reason) == (grpc.StatusCode.NOT_FOUND, "ENTITY_NOT_FOUND"), path
        assert hidden.everything.replace(f"/{DEMO.name}", f"/{ABSENT.name}") == absent.everything, path
        shown = await guarded.call(path, about(path, DEMO), guarded.alice)
        assert shown is None or shown.reason in ("REVISION_NOT_FOUND",), path


async def test_entity_in_other_letters_is_the_same_entity(guarded: Guarded) -> None:
    await guarded.build()
    for ref in (
        entity_pb2.EntityRef(namespace=DEMO.namespace.upper(), kind=DEMO.kind.upper(), name=DEMO.name.upper()),
        entity_pb2.EntityRef(kind=DEMO.kind, name=DEMO.name),
    ):
        request = docs_pb2.GetContentRequest(entity=ref, path="index.html")
        path = "/techdocs.v1.DocsService/GetContent"
        for given in (guarded.bob, guarded.bobs_cookie):
            found = await guarded.call(path, request, given)
            assert found is not None
            assert found.reason in ("ENTITY_NOT_FOUND", "FIELD_INVALID")
    # An entity that Bob may see lends him no path, no revision and no build of another one.
    guarded.catalog.put(entity("bobs"), "user:default/bob")
    bobs = entity_pb2.EntityRef(namespace="default", kind="component", name="bobs")
    content = docs_pb2.GetContentRequest(entity=bobs, path=f"../{DEMO.name}/index.html")
    found = await problem(guarded.service.client.docs.GetContent(content, metadata=guarded.bob))
    assert found.reason in ("FIELD_INVALID", "SITE_NOT_FOUND")


async def test_build_of_a_hidden_site_is_as_if_absent(guarded: Guarded) -> None:
    build = await guarded.build()
    for path in OF_BUILD:
        hidden = await guarded.call(path, request_of(path, name=build), guarded.bob)
        absent = await guarded.call(path, request_of(path, name="builds/" + "0" * 32), guarded.bob)
        assert hidden is not None, path
        assert absent is not None, path
        assert (hidden.code, hidden.reason) == (grpc.StatusCode.NOT_FOUND, "BUILD_NOT_FOUND"), path
        assert hidden.everything.replace(build, "builds/" + "0" * 32) == absent.everything, path
        assert await guarded.call(path, request_of(path, name=build), guarded.alice) is None


async def test_build_of_a_hidden_site_is_not_followed_under_another_name(guarded: Guarded) -> None:
    build = await guarded.build()
    guarded.catalog.put(entity("bobs"), "user:default/bob")
    bobs = entity_pb2.EntityRef(namespace="default", kind="component", name="bobs")
    request = builds_pb2.StreamSyncRequest(entity=bobs, build=build, after_sequence=0)
    found = await guarded.call("/techdocs.v1.BuildService/StreamSync", request, guarded.bob)
    assert found is not None
    assert found.reason == "BUILD_NOT_FOUND"


async def test_what_is_about_every_site_needs_the_permission_to_read(guarded: Guarded) -> None:
    await guarded.build()
    listings = ("/techdocs.v1.BuildService/ListBuilds", "/techdocs.v1.SiteService/ListSiteChanges")
    for path in (*OF_ALL, *listings):
        request = request_of(path)
        for given in (guarded.alice, guarded.bob, guarded.program):
            found = await guarded.call(path, request, given)
            assert found is not None, path
            assert (found.code, found.reason) == (grpc.StatusCode.PERMISSION_DENIED, "ACCESS_DENIED"), path
        assert await guarded.call(path, request, guarded.admin) is None, path
    # Of one site they are for whoever sees it.
    for path in listings:
        assert await guarded.call(path, about(path, DEMO), guarded.alice) is None, path


async def test_catalog_that_is_down_lets_nobody_in(guarded: Guarded) -> None:
    guarded.catalog.break_with("it is down")
    request = docs_pb2.GetContentRequest(entity=DEMO, path="index.html")
    found = await guarded.call("/techdocs.v1.DocsService/GetContent", request, guarded.alice)
    assert found is not None
    assert (found.code, found.reason) == (grpc.StatusCode.UNAVAILABLE, "CATALOG_UNAVAILABLE")


async def test_catalog_is_asked_once_for_a_page_and_its_pictures(guarded: Guarded) -> None:
    await guarded.build()
    guarded.catalog.asked.clear()
    for path in ("index.html", "sitemap.xml", "404.html"):
        await guarded.call(
            "/techdocs.v1.DocsService/GetContent", docs_pb2.GetContentRequest(entity=DEMO, path=path), guarded.bob
        )
    assert len(guarded.catalog.asked) == 1


async def test_administrator_needs_nothing_of_the_catalog(guarded: Guarded) -> None:
    await guarded.build()
    guarded.catalog.break_with("it is down")
    await guarded.service.client.sites.GetSite(sites_pb2.GetSiteRequest(entity=DEMO), metadata=guarded.admin)
    await guarded.service.client.sites.DeleteSite(sites_pb2.DeleteSiteRequest(entity=DEMO), metadata=guarded.admin)
