"""What every Catalog promises."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest
from techdocs_server.adapters.catalog.backstage import BackstageCatalog
from techdocs_server.adapters.catalog.backstage_client import BackstageCatalogClient
from techdocs_server.adapters.catalog.entity_cache import EntityCache
from techdocs_server.adapters.catalog.memory import MemoryCatalog
from techdocs_server.adapters.catalog.static_file import StaticFileCatalog
from techdocs_server.domain.catalog_entity import CatalogEntity, SourceRef
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import CatalogUnavailable, EntityNotFound
from techdocs_server.domain.principal import INTERNAL
from techdocs_server.ports.authentication import PluginTokens
from techdocs_server.ports.catalog import Catalog

from tests.support.backstage_catalog import BackstageCatalogServer, Wrong, backstage_catalog, document
from tests.support.backstage_tokens import signing_for
from tests.support.sites import entity_document, write_catalog

ENTITY = EntityRef("default", "component", "payments")
DOCUMENT = entity_document("Payments", metadata={"title": "Pay", "uid": "u-1"})


class CatalogUnderTest(Protocol):
    """A catalog that holds `DOCUMENT`, and the ways to change that from outside."""

    @property
    def catalog(self) -> Catalog:
        """The catalog itself."""
        ...

    def remove(self) -> None:
        """Take the entity away."""

    def break_down(self) -> None:
        """Make the catalog unreadable."""


class InMemory:
    def __init__(self) -> None:
        source = SourceRef("dir", "/anywhere", "payments", "Pay")
        metadata = {"name": "Payments", "title": "Pay", "uid": "u-1", "namespace": "default"}
        document = {**DOCUMENT, "metadata": metadata, "locationMetadata": {"type": "dir", "target": "payments"}}
        self.catalog = MemoryCatalog()
        self.catalog.put(CatalogEntity(ENTITY, document, "Pay", "", "team-a", "dir:.", source))

    def remove(self) -> None:
        self.catalog.remove(ENTITY)

    def break_down(self) -> None:
        self.catalog.problem = "it was switched off"


class OnDisk:
    def __init__(self, folder: Path) -> None:
        self._folder = write_catalog(folder, {"payments/catalog-info.yaml": DOCUMENT})
        self.catalog = StaticFileCatalog(folder, rescan_seconds=0)

    def remove(self) -> None:
        (self._folder / "payments/catalog-info.yaml").unlink()

    def break_down(self) -> None:
        shutil.rmtree(self._folder)


class OverHTTP:
    """Backstage's, which has read the descriptor from a file of this machine."""

    def __init__(self, server: BackstageCatalogServer, tokens: PluginTokens, folder: Path) -> None:
        self._server = server
        (folder / "payments").mkdir(parents=True)
        location = {"backstage.io/managed-by-location": f"file:{folder}/payments/catalog-info.yaml"}
        server.put(document("Payments", title="Pay", uid="u-1", annotations=location))
        client = BackstageCatalogClient(server.url)
        # Nothing is believed for a while, so that changes are seen at once, as in the others.
        self.catalog = BackstageCatalog(client, tokens, file_root=folder, cache=EntityCache(fresh_seconds=0))

    def remove(self) -> None:
        self._server.entities.clear()

    def break_down(self) -> None:
        self._server.wrong["/"] = Wrong(503)


@pytest.fixture(params=["memory", "static file", "backstage"])
async def tested(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[CatalogUnderTest]:
    if request.param == "memory":
        yield InMemory()
        return
    if request.param == "backstage":
        with backstage_catalog() as server:
            async with signing_for(server, tmp_path) as tokens:
                over_http = OverHTTP(server, tokens, tmp_path / "catalog")
                yield over_http
                await over_http.catalog.close()
        return
    on_disk = OnDisk(tmp_path / "catalog")
    yield on_disk
    on_disk.catalog.close()


async def test_entity_is_found_by_its_canonical_reference(tested: CatalogUnderTest) -> None:
    entity = await tested.catalog.entity(EntityRef.of(kind="Component", name="PAYMENTS"), viewer=INTERNAL)
    assert entity.ref == ENTITY
    assert (entity.title, entity.owner, entity.uid, entity.techdocs_ref) == ("Pay", "team-a", "u-1", "dir:.")
    assert entity.source is not None
    assert (entity.source.type, entity.source.display, entity.source.site_name) == ("dir", "payments", "Pay")


async def test_document_is_json_and_says_where_the_docs_are_from(tested: CatalogUnderTest) -> None:
    document = json.loads(json.dumps((await tested.catalog.entity(ENTITY, viewer=INTERNAL)).document, allow_nan=False))
    assert document["kind"] == "Component"
    assert document["metadata"]["name"] == "Payments"
    assert document["metadata"]["namespace"] == "default"
    assert document["locationMetadata"] == {"type": "dir", "target": "payments"}


@pytest.mark.parametrize("other", ["api:default/payments", "component:other/payments", "component:default/payment"])
async def test_entity_that_is_not_there_is_not_found(tested: CatalogUnderTest, other: str) -> None:
    with pytest.raises(EntityNotFound, match=f"^the catalog has no entity {other}$"):
        await tested.catalog.entity(EntityRef.parse(other), viewer=INTERNAL)


async def test_removed_entity_is_not_found(tested: CatalogUnderTest) -> None:
    await tested.catalog.entity(ENTITY, viewer=INTERNAL)
    tested.remove()
    with pytest.raises(EntityNotFound):
        await tested.catalog.entity(ENTITY, viewer=INTERNAL)


async def test_broken_catalog_does_not_say_that_anything_is_missing(tested: CatalogUnderTest) -> None:
    tested.break_down()
    for ref in (ENTITY, EntityRef("default", "component", "other")):
        with pytest.raises(CatalogUnavailable):
            await tested.catalog.entity(ref, viewer=INTERNAL)


async def test_entities_with_an_annotation_are_listed(tested: CatalogUnderTest) -> None:
    assert list(await tested.catalog.refs()) == [ENTITY]
    tested.remove()
    assert list(await tested.catalog.refs()) == []


async def test_broken_catalog_lists_nothing(tested: CatalogUnderTest) -> None:
    tested.break_down()
    with pytest.raises(CatalogUnavailable):
        await tested.catalog.refs()


async def test_document_is_json_and_keeps_what_the_catalog_says(tested: CatalogUnderTest) -> None:
    document = json.loads(json.dumps((await tested.catalog.entity(ENTITY, viewer=INTERNAL)).document, allow_nan=False))
    assert (document["apiVersion"], document["spec"]["owner"]) == ("backstage.io/v1alpha1", "team-a")
