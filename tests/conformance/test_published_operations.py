"""Every operation of the published OpenAPI document, as it is answered by a real bridge in front of a real server.

The document decides what is asked: an operation or a documented answer that has
no case here fails the first test.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import jsonschema_rs
import pytest
import pytest_asyncio
import yaml

from tests.conformance.problems import check_problem
from tests.support.published import BUILD_SECONDS, MOUNT, Catalog, Deployment, deployed

pytestmark = pytest.mark.asyncio(loop_scope="module")

# YAML of known shape: a wrong step into it fails the test that takes it.
Document = dict[str, Any]
Parameters = Mapping[str, str]

DOCUMENT: Document = yaml.safe_load(Path(__file__).with_name("published_openapi.yaml").read_text())
OPERATIONS: Mapping[str, tuple[str, str]] = {
    operation["operationId"]: (method, path)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}

DEMO = {"namespace": "default", "kind": "component", "name": "demo"}
IN_CAPITALS = {"namespace": "Default", "kind": "Component", "name": "DEMO"}
UNBUILT = {**DEMO, "name": "unbuilt"}
NOBODY = {**DEMO, "name": "nobody"}

CASES: Mapping[tuple[str, str], Mapping[str, Parameters]] = {
    ("getTechDocsMetadata", "200"): {"built": DEMO, "in capitals": IN_CAPITALS},
    ("getTechDocsMetadata", "404"): {"not built": UNBUILT, "no entity": NOBODY},
    ("getEntityMetadata", "200"): {"built": DEMO, "in capitals": IN_CAPITALS, "not built": UNBUILT},
    ("getEntityMetadata", "404"): {"no entity": NOBODY},
    ("getTechDocsIndex", "200"): {"built": DEMO, "in capitals": IN_CAPITALS},
    ("getTechDocsIndex", "404"): {"not built": UNBUILT, "no entity": NOBODY},
    ("getTechDocsPage", "200"): {
        "page": {**DEMO, "path": "guide/start/index.html"},
        "page in capitals": {**IN_CAPITALS, "path": "guide/start/index.html"},
        "directory": {**DEMO, "path": "guide/start/"},
        "directory without slash": {**DEMO, "path": "guide/start"},
        "escapes": {**DEMO, "path": "größe/seite eins/"},
        "asset": {**DEMO, "path": "assets/data.json"},
        "search index": {**DEMO, "path": "search/search_index.json"},
    },
    ("getTechDocsPage", "404"): {
        "no page": {**DEMO, "path": "guide/finish/index.html"},
        "no asset": {**DEMO, "path": "assets/missing.png"},
        "not built": {**UNBUILT, "path": "index.html"},
        "no entity": {**NOBODY, "path": "index.html"},
    },
    ("syncTechDocs", "200"): {"built": DEMO, "in capitals": IN_CAPITALS},
    ("syncTechDocs", "404"): {"no entity": NOBODY, "no source": {**DEMO, "name": "sourceless"}},
}


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request that the document describes, and the answer that it documents for it."""

    operation_id: str
    status: str
    case: str
    mount: str

    @property
    def method(self) -> str:
        return OPERATIONS[self.operation_id][0].upper()

    @property
    def path(self) -> str:
        """The path with its parameters filled in, relative to the mount."""
        path = OPERATIONS[self.operation_id][1]
        for name, value in CASES[self.operation_id, self.status][self.case].items():
            path = path.replace(f"{{{name}}}", quote(value, safe="/"))
        return path

    @property
    def documented(self) -> Document:
        """The response object."""
        method, path = OPERATIONS[self.operation_id]
        found: Document = DOCUMENT["paths"][path][method]["responses"][self.status]
        return found

    def __str__(self) -> str:
        return f"{self.operation_id} {self.status} {self.case} {self.mount or '/'}"


def exchanges() -> Iterator[Exchange]:
    for (operation_id, status), cases in CASES.items():
        for case in cases:
            for mount in ("", MOUNT):
                yield Exchange(operation_id, status, case, mount)


ALL = list(exchanges())
READS = [each for each in ALL if each.method == "GET"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Deployment]:
    folder = tmp_path_factory.mktemp("published")
    catalog = Catalog(folder / "catalog")
    catalog.add("demo")
    catalog.add("unbuilt")
    catalog.add("sourceless", ref=None)
    async with deployed(folder, catalog) as running:
        await running.sync("demo")
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(service: Deployment) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"accept-encoding": "identity"}  # the lengths are those of the bodies
    async with httpx.AsyncClient(base_url=service.rest, headers=headers, timeout=BUILD_SECONDS) as connected:
        yield connected


def check_against_schema(schema: Document, answer: httpx.Response) -> None:
    """Validate a body as the document says, formats included."""
    if schema == {"type": "string"}:
        assert answer.text
        return
    whole = {**schema, "components": DOCUMENT["components"]}
    jsonschema_rs.Draft202012Validator(whole, validate_formats=True).validate(json.loads(answer.content))


async def test_every_documented_answer_has_a_case() -> None:
    documented = {
        (operation["operationId"], status)
        for item in DOCUMENT["paths"].values()
        for operation in item.values()
        for status in operation["responses"]
    }
    assert documented == set(CASES)


@pytest.mark.parametrize("exchange", ALL, ids=str)
async def test_operation_answers_as_documented(client: httpx.AsyncClient, exchange: Exchange) -> None:
    answer = await client.request(
        exchange.method, exchange.mount + exchange.path, headers={"accept": "application/json, */*;q=0.1"}
    )
    assert answer.status_code == int(exchange.status), answer.text
    content = exchange.documented.get("content", {})
    if content:
        media_type = answer.headers["content-type"].partition(";")[0]
        assert media_type in content
        check_against_schema(content[media_type]["schema"], answer)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "x-request-id" in answer.headers


@pytest.mark.parametrize("exchange", [each for each in ALL if each.status == "404"], ids=str)
async def test_documented_404_has_the_error_body(client: httpx.AsyncClient, exchange: Exchange) -> None:
    answer = await client.request(
        exchange.method, exchange.mount + exchange.path, headers={"accept": "application/json"}
    )
    found = answer.json()["error"]
    code = "FAILED_PRECONDITION" if exchange.case == "no source" else "NOT_FOUND"
    reason = found["details"][0]["reason"]
    check_problem(answer, status=404, reason=reason, code=code, method=exchange.method, url=exchange.path)


@pytest.mark.parametrize("exchange", READS, ids=str)
async def test_head_has_the_headers_of_get_and_no_body(client: httpx.AsyncClient, exchange: Exchange) -> None:
    path = exchange.mount + exchange.path
    got, headed = await client.get(path), await client.head(path)
    assert headed.status_code == got.status_code
    assert headed.content == b""
    own = {"date", "x-request-id"}
    assert {k: v for k, v in headed.headers.items() if k not in own} == {
        k: v for k, v in got.headers.items() if k not in own
    }
    assert int(headed.headers["content-length"]) == len(got.content)


@pytest.mark.parametrize("mount", ["", MOUNT])
async def test_metadata_says_when_what_was_built(client: httpx.AsyncClient, mount: str) -> None:
    metadata = (await client.get(f"{mount}/metadata/techdocs/default/component/demo")).json()
    # RFC 3339 as Python reads it: the schema's date-time was checked with the other fields.
    built = datetime.fromisoformat(metadata["build_timestamp"])
    assert built.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - built) < timedelta(hours=1)
    assert metadata["site_name"] == "Docs of demo"
    assert metadata["etag"]
    assert metadata["files"] == sorted(metadata["files"])
    assert {"index.html", "guide/start/index.html", "größe/seite eins/index.html", "404.html"} <= set(metadata["files"])


async def test_every_listed_file_can_be_read(client: httpx.AsyncClient) -> None:
    metadata = (await client.get("/metadata/techdocs/default/component/demo")).json()
    for path in metadata["files"]:
        answer = await client.head(f"/docs/default/component/demo/{quote(path)}")
        assert answer.status_code == 200, path


async def test_entity_metadata_is_the_catalog_s_with_its_location(client: httpx.AsyncClient) -> None:
    entity = (await client.get("/metadata/entity/default/component/demo")).json()
    assert (entity["kind"], entity["metadata"]["name"]) == ("Component", "demo")
    assert entity["metadata"]["annotations"]["backstage.io/techdocs-ref"] == "dir:."
    assert entity["spec"]["owner"] == "team-a"
    assert set(entity["locationMetadata"]) == {"type", "target"}


async def test_sync_of_a_current_site_says_that_nothing_was_done(client: httpx.AsyncClient) -> None:
    answer = (await client.post("/sync/default/component/demo")).json()
    assert answer["updated"] is False
    assert answer["message"]
