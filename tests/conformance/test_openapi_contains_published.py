"""The generated OpenAPI document contains the published one, operation by operation.

published_openapi.yaml is the document that Backstage's users were given. Ours
may say more, never less: a client made from it must work with this service.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from techdocs_bridge.transcoding.openapi import document
from techdocs_bridge.transcoding.routes import RouteTable, services

# JSON of unknown depth: the tests reach into it, and a wrong step fails them.
JSONDocument = dict[str, Any]

PUBLISHED: JSONDocument = yaml.safe_load(Path(__file__).with_name("published_openapi.yaml").read_text())
OPERATIONS = [(path, verb) for path, item in PUBLISHED["paths"].items() for verb in item]


@pytest.fixture(scope="module")
def ours() -> JSONDocument:
    written = document(RouteTable.from_services(services()), server_url="/api/techdocs", version="1")
    found: JSONDocument = json.loads(json.dumps(written))
    return found


def resolved(root: JSONDocument, schema: JSONDocument) -> JSONDocument:
    """Follow a local reference, keeping what stands beside it."""
    if "$ref" not in schema:
        return schema
    *_, name = schema["$ref"].split("/")
    target: JSONDocument = root["components"]["schemas"][name]
    return {**target, **{key: value for key, value in schema.items() if key != "$ref"}}


def missing(theirs: JSONDocument, ours: JSONDocument, root: JSONDocument, at: str) -> Iterator[str]:
    """Yield what a published schema promises and ours does not."""
    theirs, ours = resolved(PUBLISHED, theirs), resolved(root, ours)
    for keyword in ("type", "format", "default"):
        if keyword in theirs and theirs[keyword] != ours.get(keyword):
            yield f"{at}: {keyword} is {ours.get(keyword)!r}, published {theirs[keyword]!r}"
    for name, schema in theirs.get("properties", {}).items():
        if name in ours.get("properties", {}):
            yield from missing(schema, ours["properties"][name], root, f"{at}.{name}")
        else:
            yield f"{at}: has no {name}"
    if "items" in theirs:
        yield from missing(theirs["items"], ours.get("items", {}), root, f"{at}[]")


def test_the_published_document_has_the_operations_it_is_known_for() -> None:
    ids = [PUBLISHED["paths"][path][verb]["operationId"] for path, verb in OPERATIONS]
    assert sorted(ids) == [
        "getEntityMetadata", "getTechDocsIndex", "getTechDocsMetadata", "getTechDocsPage", "syncTechDocs",
    ]  # fmt: skip


@pytest.mark.parametrize(("path", "verb"), OPERATIONS)
def test_a_published_operation_is_served_under_its_id(ours: JSONDocument, path: str, verb: str) -> None:
    theirs, operation = PUBLISHED["paths"][path][verb], ours["paths"][path][verb]
    assert operation["operationId"] == theirs["operationId"]
    assert set(operation["tags"]) >= set(theirs["tags"])
    assert operation["security"] == theirs["security"]


@pytest.mark.parametrize(("path", "verb"), OPERATIONS)
def test_a_published_operation_keeps_its_parameters(ours: JSONDocument, path: str, verb: str) -> None:
    theirs, operation = PUBLISHED["paths"][path][verb], ours["paths"][path][verb]
    by_key = {(p["name"], p["in"]): p for p in operation["parameters"]}
    for parameter in theirs["parameters"]:
        own = by_key.pop((parameter["name"], parameter["in"]))
        assert own["required"] == parameter["required"]
        assert list(missing(parameter["schema"], own["schema"], ours, parameter["name"])) == []
    assert not any(parameter["required"] for parameter in by_key.values()), "a new parameter must not be required"
    assert "requestBody" not in operation


@pytest.mark.parametrize(("path", "verb"), OPERATIONS)
def test_a_published_operation_keeps_its_answers(ours: JSONDocument, path: str, verb: str) -> None:
    theirs, operation = PUBLISHED["paths"][path][verb], ours["paths"][path][verb]
    for status, response in theirs["responses"].items():
        own = operation["responses"][status]
        assert own["description"] == response["description"]
        for media_type, content in response.get("content", {}).items():
            schema = own["content"][media_type]["schema"]
            assert list(missing(content["schema"], schema, ours, f"{status} {media_type}")) == []


def test_published_components_are_there_under_their_names(ours: JSONDocument) -> None:
    for name, schema in PUBLISHED["components"]["schemas"].items():
        reference = {"$ref": f"#/components/schemas/{name}"}
        assert list(missing(schema, reference, ours, name)) == []
    assert ours["components"]["securitySchemes"]["bearerAuth"].items() >= (
        PUBLISHED["components"]["securitySchemes"]["bearerAuth"].items()
    )


def test_published_references_lead_to_the_same_names(ours: JSONDocument) -> None:
    path = "/metadata/techdocs/{namespace}/{kind}/{name}"
    schema = ours["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema["$ref"] == "#/components/schemas/TechDocsMetadata"


def test_published_tags_are_there(ours: JSONDocument) -> None:
    assert {tag["name"] for tag in ours["tags"]} >= {tag["name"] for tag in PUBLISHED["tags"]}


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        ({"type": "array", "items": {}}, "x: type is 'array', published 'object'"),
        ({"type": "object"}, "x: has no site_name"),
        ({"type": "object", "properties": {"files": {"type": "array", "items": {}}}}, "x.files[]: type is None"),
    ],
)
def test_the_comparison_finds_what_is_missing(broken: JSONDocument, complaint: str) -> None:
    published = {"$ref": "#/components/schemas/TechDocsMetadata"}
    assert any(found.startswith(complaint) for found in missing(published, broken, {}, "x"))
