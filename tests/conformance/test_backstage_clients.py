"""Backstage's own clients from npm, unmodified, use this service: the frontend's, the search collator, its errors."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.conformance.backstage_site import write_sources
from tests.conformance.event_streams import ENDS, parse
from tests.support.backstage.backend import ALICE, BOB, VISIBLE_TO
from tests.support.backstage.clients import Call, Outcome, call_clients
from tests.support.backstage.service import InBackstage, in_backstage
from tests.support.holding import HoldingToolchain, holding_plugins
from tests.support.published import BUILD_SECONDS
from tests.support.sites import mkdocs_config, write_files

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    # The first test may install Backstage's packages.
    pytest.mark.timeout(1200),
]


@dataclass(frozen=True, slots=True)
class World:
    """The service within Backstage, and a user who is signed in."""

    placed: InBackstage
    toolchain: HoldingToolchain
    entities: Path
    token: str

    async def call(
        self, *calls: Call, token: str | None = None, config: Mapping[str, object] | None = None
    ) -> list[Outcome]:
        """Call the clients as Alice, or with another token."""
        with_token = self.token if token is None else token
        return list(await call_clients(self.placed.techdocs, *calls, token=with_token, config=config))

    async def value(self, *call: object) -> Any:
        """Return what one call returns, which must succeed."""
        (outcome,) = await self.call(call)
        assert outcome.error is None, f"{outcome.error}\n{self.placed.service.logged()}"
        return outcome.value

    async def error(self, *call: object, token: str | None = None) -> Mapping[str, Any]:
        """Return the error that one call throws."""
        (outcome,) = await self.call(call, token=token)
        assert outcome.error is not None, f"no error but {outcome.value}"
        return outcome.error


def entity(name: str) -> Mapping[str, str]:
    """Return what the clients take for component:default/NAME."""
    return {"kind": "component", "namespace": "default", "name": name}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("clients")
    toolchain = HoldingToolchain(folder / "toolchain")
    entities = write_sources(folder / "sources")
    for name in ("held", "left"):
        _add_held(folder / "sources", entities, name, toolchain.gate)
    async with in_backstage(
        folder, entities=entities, sources=folder / "sources", settings=toolchain.settings
    ) as placed:
        world = World(placed, toolchain, entities, await placed.home.user_token(ALICE))
        await world.value("sync", entity("demo"))
        yield world


def _add_held(sources: Path, entities: Path, name: str, gate: Path) -> None:
    """Add component:default/NAME, whose builds wait while the gate exists."""
    pages = {"mkdocs.yml": mkdocs_config(name, plugins=holding_plugins(gate)), "docs/index.md": f"# The {name}\n"}
    write_files(sources / name, pages)
    known = json.loads(entities.read_text())
    template = known["component:default/demo"]
    metadata = {**template["metadata"], "name": name, "uid": f"uid-of-{name}"}
    annotations = {key: str(value).replace("/demo/", f"/{name}/") for key, value in metadata["annotations"].items()}
    known[f"component:default/{name}"] = {**template, "metadata": {**metadata, "annotations": annotations}}
    entities.write_text(json.dumps(known))


async def test_metadata_client_reads_what_the_header_of_a_page_shows(world: World) -> None:
    techdocs, catalog = await world.value("metadata", entity("demo")), await world.value("entity", entity("demo"))
    assert techdocs["site_name"] == "Docs of demo"
    assert isinstance(techdocs["build_timestamp"], int)
    assert {"index.html", "techdocs_metadata.json"} <= set(techdocs["files"])
    known = json.loads(world.entities.read_text())["component:default/demo"]
    assert {key: catalog[key] for key in known} == known, "the whole entity, as the catalog has it"
    assert catalog["locationMetadata"]["type"] == "dir"


async def test_page_client_reads_pages_in_every_folder(world: World) -> None:
    start, guide, deep = [
        await world.value("page", entity("demo"), path) for path in ("", "guide", "größe/seite eins/")
    ]
    assert "The first page" in start
    assert "How it is done" in guide
    assert "A page whose path needs escapes" in deep


async def test_missing_pages_are_told_apart_from_missing_docs(world: World) -> None:
    assert (await world.error("page", entity("demo"), "gone"))["message"] == "Page not found. "
    assert "no index.md file" in (await world.error("page", entity("nodocs"), ""))["message"]
    assert (await world.error("page", entity("nodocs"), ""))["name"] == "NotFoundError"


async def test_base_urls_lead_to_files_of_the_site(world: World) -> None:
    asset = await world.value("baseUrl", "../assets/pixel.png", entity("demo"), "guide")
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {world.token}"}) as client:
        answer = await client.get(asset)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert await world.value("storageUrl") == f"{world.placed.techdocs}/static/docs"


async def test_errors_are_response_errors_of_backstage(world: World) -> None:
    error = await world.error("metadata", entity("unknown"))
    assert error["isResponseError"]
    assert (error["name"], error["statusCode"]) == ("ResponseError", 404)
    assert error["message"] == "Request failed with 404 Not Found"
    assert error["cause"] == {
        "name": "NotFoundError",
        "message": "Unable to get metadata for 'component:default/unknown'",
    }
    assert error["body"]["request"] == {"method": "GET", "url": "/metadata/techdocs/default/component/unknown"}
    assert error["body"]["response"] == {"statusCode": 404}


@pytest.mark.parametrize(
    ("token", "message"), [("", "Missing credentials"), ("garbage", "Illegal token")], ids=["none", "garbage"]
)
async def test_clients_without_a_good_token_are_told_why(world: World, token: str, message: str) -> None:
    for method in ("metadata", "entity"):
        error = await world.error(method, entity("demo"), token=token)
        assert error["isResponseError"]
        assert error["statusCode"] == 401
        assert error["cause"] == {"name": "AuthenticationError", "message": message}


async def test_expired_token_of_backstage_is_refused(world: World) -> None:
    expired = await world.placed.home.user_token(seconds=-10)
    error = await world.error("metadata", entity("demo"), token=expired)
    assert error["cause"] == {"name": "AuthenticationError", "message": "Failed user token verification"}


async def test_entity_is_shown_to_whom_the_catalog_shows_it(world: World) -> None:
    hidden = json.loads(world.entities.read_text())["component:default/hidden"]
    assert hidden["metadata"]["annotations"][VISIBLE_TO] == BOB
    assert (await world.error("entity", entity("hidden")))["statusCode"] == 404
    (shown,) = await world.call(["entity", entity("hidden")], token=await world.placed.home.user_token(BOB))
    assert shown.value["metadata"]["name"] == "hidden"
    asked = [look["principal"] for look in world.placed.home.lookups() if "hidden" in str(look["url"])]
    actor = {"type": "service", "subject": "plugin:techdocs"}
    for user in (ALICE, BOB):
        assert {"type": "user", "userEntityRef": user, "actor": actor} in asked, "asked on behalf of the user"


async def test_sync_client_logs_lines_and_tells_updated_from_cached(world: World) -> None:
    first = await world.value("sync", entity("built"))
    assert first["result"] == "updated"
    assert any("generating" in line for line in first["lines"])
    again = await world.value("sync", entity("built"))
    assert (again["result"], again["lines"]) == ("cached", [])


async def test_sync_client_is_told_why_a_build_failed(world: World) -> None:
    error = await world.error("sync", entity("broken"))
    assert error["name"] == "Error"
    assert "mkdocs.yml is not valid YAML" in error["message"]


@pytest.mark.parametrize("name", ["held", "left"])
async def test_hidden_tab_gets_every_line_once_and_the_end(world: World, name: str) -> None:
    """fetch-event-source drops the stream of a hidden tab, and asks again, with the last id, when it is shown."""
    gate = world.toolchain.gate
    gate.touch()
    hide: dict[str, str] = {"gate": str(gate)}
    if name == "left":
        # The build ends while the tab is hidden.
        hide["published"] = f"{world.placed.techdocs}/static/docs/default/component/{name}/index.html"
    try:
        told = await world.value("sync", entity(name), hide)
    finally:
        gate.unlink(missing_ok=True)
    assert told["result"] == "updated"
    first, second = told["requests"]
    assert first["lastEventId"] is None
    build, _, sequence = second["lastEventId"].rpartition(":")
    assert int(sequence) > 0
    assert told["lines"] == await _whole_log(world, name, build)


async def _whole_log(world: World, name: str, build: str) -> list[str]:
    """Return the lines of a build, from its first."""
    headers = {"authorization": f"Bearer {world.token}", "accept": "text/event-stream", "last-event-id": f"{build}:0"}
    async with httpx.AsyncClient(headers=headers, timeout=BUILD_SECONDS) as client:
        answer = await client.get(f"{world.placed.techdocs}/sync/default/component/{name}")
    events = parse(answer.text)
    assert events[-1].name in ENDS
    return [event.data for event in events if event.name == "log"]


async def test_collator_indexes_what_is_published(world: World) -> None:
    documents = await world.placed.home.collated()
    of_demo = [document for document in documents if document["name"] == "demo"]
    assert {"Welcome", "Guide", "Größe"} <= {document["title"] for document in of_demo}
    (guide,) = [document for document in of_demo if document["path"] == "guide/"]
    assert guide["location"] == "/docs/default/component/demo/guide/"
    assert "How it is done" in str(guide["text"])
    assert guide["owner"] == "team-a"
    assert guide["authorization"] == {"resourceRef": "component:default/demo"}
    assert not [document for document in documents if document["name"] == "nodocs"], "what has no site has no documents"


async def test_collator_reads_as_the_plugin_search(world: World) -> None:
    path = "/static/docs/default/component/demo/search/search_index.json"
    async with httpx.AsyncClient() as client:
        for target, status in (("techdocs", 200), ("catalog", 401)):
            token = await world.placed.home.plugin_token(target)
            answer = await client.get(f"{world.placed.techdocs}{path}", headers={"authorization": f"Bearer {token}"})
            assert answer.status_code == status
    assert answer.json()["error"]["message"] == "Failed plugin token verification"
