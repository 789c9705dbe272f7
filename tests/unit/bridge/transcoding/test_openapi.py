from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from google.api import httpbody_pb2
from google.protobuf import any_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2, status_pb2
from schemathesis.specs.openapi.definitions import OPENAPI_31
from techdocs.v1 import builds_pb2, docs_pb2, entity_pb2, sites_pb2
from techdocs_bridge.transcoding.comments import Comments
from techdocs_bridge.transcoding.http_rules import Route
from techdocs_bridge.transcoding.openapi import document
from techdocs_bridge.transcoding.rendering import render
from techdocs_bridge.transcoding.routes import RouteTable, services

from tests.unit.bridge.transcoding.fresh_contract import compile_contract, everything

# The document is JSON of unknown depth: tests reach into it, and a wrong step fails them.
JSONDocument = dict[str, Any]
ENTITY = entity_pb2.EntityRef(namespace="default", kind="component", name="shop")


@pytest.fixture(scope="module")
def table() -> RouteTable:
    return RouteTable.from_services(services())


@pytest.fixture(scope="module")
def written(table: RouteTable) -> JSONDocument:
    return as_json(document(table, server_url="/api/techdocs", version="1.2.3"))


@pytest.fixture(scope="module")
def fresh() -> JSONDocument:
    comments = Comments.of_files([everything().source])
    return as_json(document(everything().table, server_url="/", version="1", comments=comments))


def as_json(written: object) -> JSONDocument:
    found: JSONDocument = json.loads(json.dumps(written))
    return found


def operations(written: JSONDocument) -> Iterator[JSONDocument]:
    for item in written["paths"].values():
        yield from item.values()


def operation(written: JSONDocument, operation_id: str) -> JSONDocument:
    return next(found for found in operations(written) if found["operationId"] == operation_id)


def parameter(found: JSONDocument, name: str) -> JSONDocument:
    return next(parameter for parameter in found["parameters"] if parameter["name"] == name)


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_the_documents_are_valid_openapi_3_1(written: JSONDocument, fresh: JSONDocument) -> None:
    validator = jsonschema_rs.Draft202012Validator(OPENAPI_31)
    for found in (written, fresh):
        assert [str(error) for error in validator.iter_errors(found)] == []
        assert found["openapi"] == "3.1.0"


def test_every_schema_is_valid_json_schema(written: JSONDocument, fresh: JSONDocument) -> None:
    for found in (written, fresh):
        for schema in found["components"]["schemas"].values():
            jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})


def test_every_reference_resolves(written: JSONDocument, fresh: JSONDocument) -> None:
    for found in (written, fresh):
        for reference in references(found):
            assert reference.removeprefix("#/components/schemas/") in found["components"]["schemas"]


def test_a_client_tool_reads_every_operation(written: JSONDocument, table: RouteTable) -> None:
    loaded = schemathesis.openapi.from_dict(written)
    assert sum(1 for _ in loaded.get_all_operations()) == len(table.routes)


def test_every_route_is_an_operation_of_its_own(written: JSONDocument, table: RouteTable) -> None:
    ids = Counter(found["operationId"] for found in operations(written))
    assert ids == Counter(route.operation.operation_id for route in table)
    shapes = Counter(re.sub(r"\{[^}]*\}", "{}", path) for path in written["paths"])
    assert set(shapes.values()) == {1}


def test_every_operation_is_described_and_answers_errors(written: JSONDocument) -> None:
    for found in operations(written):
        assert found["summary"]
        assert "\n" not in found["summary"]
        assert found["description"]
        assert found["security"] == [{"bearerAuth": []}]
        assert {tag["name"] for tag in written["tags"]} >= set(found["tags"])
        for status in ("400", "default"):
            schema = found["responses"][status]["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/Error"}
        names = Counter((parameter["name"], parameter["in"]) for parameter in found.get("parameters", []))
        assert set(names.values()) <= {1}


def test_every_path_parameter_is_in_the_path_and_the_other_way_round(
    written: JSONDocument, fresh: JSONDocument
) -> None:
    for found in (written, fresh):
        for path, item in found["paths"].items():
            for op in item.values():
                in_path = [p for p in op.get("parameters", []) if p["in"] == "path"]
                assert all(p["required"] for p in in_path)
                assert {f"{{{p['name']}}}" for p in in_path} == {
                    "{" + part.partition("}")[0] + "}" for part in path.split("{")[1:]
                }


def test_rules_of_the_contract_become_keywords(written: JSONDocument) -> None:
    page = operation(written, "getTechDocsPage")
    assert parameter(page, "namespace")["schema"] == {
        "type": "string", "maxLength": 63, "pattern": "^[A-Za-z0-9]+(-+[A-Za-z0-9]+)*$", "default": "default",
    }  # fmt: skip
    assert parameter(page, "kind")["schema"]["minLength"] == 1
    assert parameter(page, "path")["schema"]["maxLength"] == 1024
    assert "slashes" in parameter(page, "path")["description"]
    assert parameter(page, "revision")["schema"]["pattern"] == "^$|^[0-9a-f]{64}$"
    builds = operation(written, "listBuilds")
    states = parameter(builds, "states")["schema"]
    assert (states["maxItems"], states["uniqueItems"]) == (8, True)
    assert "BUILD_STATE_UNSPECIFIED" not in states["items"]["enum"]
    assert parameter(builds, "pageSize")["schema"] == {"type": "integer", "format": "int32", "minimum": 0}
    assert not parameter(builds, "entity.kind")["required"]
    watch = operation(written, "watchBuild")
    assert parameter(watch, "build")["schema"]["pattern"] == "^[a-z0-9-]{1,63}$"
    assert parameter(watch, "afterSequence")["schema"] == {"type": "integer", "format": "int64", "minimum": 0}
    size = written["components"]["schemas"]["BlobDigest"]["properties"]["sizeBytes"]
    assert (size["type"], size["pattern"]) == ("string", "^[0-9]{1,18}$")


def test_a_body_is_what_the_path_leaves_and_nothing_else(written: JSONDocument) -> None:
    rollback = operation(written, "rollbackSite")["requestBody"]
    schema = rollback["content"]["application/json"]["schema"]
    assert rollback["required"]
    assert set(schema["properties"]) == {"revision", "etag"}
    assert (schema["required"], schema["additionalProperties"]) == (["revision"], False)
    cancel = operation(written, "cancelBuild")["requestBody"]
    assert not cancel["required"]
    assert cancel["content"]["application/json"]["schema"]["properties"] == {}
    create = operation(written, "createBuild")["requestBody"]["content"]["application/json"]["schema"]
    assert create["properties"]["entity"]["$ref"] == "#/components/schemas/EntityRef"
    assert create["properties"]["requestId"]["format"] == "uuid"


def test_reading_content_is_described_in_the_words_of_http(written: JSONDocument) -> None:
    for operation_id in ("getTechDocsIndex", "getTechDocsPage", "getStaticTechDocs"):
        found = operation(written, operation_id)
        others = {p["name"]: p["in"] for p in found["parameters"] if p["in"] != "path"}
        assert others == {"revision": "query", "If-None-Match": "header", "Range": "header", "If-Range": "header"}
        assert {"200", "206", "304", "404", "416"} <= set(found["responses"])
        assert found["responses"]["206"]["content"] == found["responses"]["200"]["content"]


def test_streams_have_their_media_types(written: JSONDocument, fresh: JSONDocument) -> None:
    sync = operation(written, "streamTechDocsSync")
    assert sync["responses"]["200"]["content"] == {"text/event-stream": {"schema": {"type": "string"}}}
    assert set(sync["responses"]["404"]["content"]) == {"application/json", "text/event-stream"}
    assert parameter(sync, "Last-Event-ID")["in"] == "header"
    watch = operation(written, "watchBuild")["responses"]["200"]["content"]
    assert watch["application/x-ndjson"]["x-line-schema"] == {"$ref": "#/components/schemas/WatchBuildResponse"}
    assert "application/x-ndjson" in operation(fresh, "follow")["responses"]["200"]["content"]


def test_kinds_of_fields_have_their_json_form(fresh: JSONDocument) -> None:
    properties = fresh["components"]["schemas"]["Everything"]["properties"]
    assert properties["text"] == {"type": "string", "description": "Some text."}
    assert properties["large"]["type"] == "string"
    assert properties["unsignedSmall"] == {"type": "integer", "minimum": 0, "maximum": 4294967295}
    assert properties["blob"] == {"type": "string", "contentEncoding": "base64"}
    assert properties["color"] == {"$ref": "#/components/schemas/Color"}
    assert properties["seenAt"] == {"type": "string", "format": "date-time"}
    assert properties["maybeText"] == {"type": "string"}
    assert properties["loose"] == {}
    assert properties["children"] == {"type": "array", "items": {"$ref": "#/components/schemas/Everything"}}
    assert properties["counts"] == {"type": "object", "additionalProperties": {"type": "string"}}
    assert properties["madeBy"] == {"type": "string", "readOnly": True}
    assert "odd" in properties
    assert "At most one of left, right is set." in fresh["components"]["schemas"]["Everything"]["description"]


def test_bodies_that_are_no_message_have_their_schema(fresh: JSONDocument) -> None:
    words = operation(fresh, "setWords")
    assert words["requestBody"]["content"]["application/json"]["schema"]["type"] == "array"
    assert words["responses"]["200"]["content"]["application/json"]["schema"]["type"] == "array"
    assert operation(fresh, "upload")["requestBody"]["content"] == {"*/*": {}}
    assert operation(fresh, "echo")["requestBody"]["content"] == {"*/*": {}}
    assert operation(fresh, "echo")["responses"]["200"]["content"] == {"*/*": {}}
    assert operation(fresh, "count")["responses"]["200"]["content"]["application/json"]["schema"]["type"] == "string"


def test_a_custom_method_is_served_but_has_no_place_in_the_document(fresh: JSONDocument) -> None:
    assert set(fresh["paths"]["/count"]) == {"get"}


def test_deprecated_things_are_marked() -> None:
    contract = compile_contract(
        """
        service OldService {
          rpc Get(Old) returns (Old) { option deprecated = true; option (google.api.http) = {get: "/old"}; }
        }
        message Old { string gone = 1 [deprecated = true]; }
        """
    )
    found = as_json(document(contract.table, server_url="/", version="1", comments=Comments({})))
    assert operation(found, "get")["deprecated"]
    assert found["components"]["schemas"]["Old"]["properties"]["gone"]["deprecated"]


def _full_build() -> builds_pb2.Build:
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.ErrorInfo(reason="BUILD_FAILED", domain="techdocs"))
    return builds_pb2.Build(
        name="builds/7",
        entity=ENTITY,
        state=builds_pb2.BUILD_STATE_FAILED,
        create_time=Timestamp(seconds=1),
        error=status_pb2.Status(code=10, message="no", details=[detail]),
        last_sequence=2**60,
    )


ANSWERS = [
    ("getTechDocsMetadata", docs_pb2.GetSiteMetadataResponse(metadata=docs_pb2.SiteMetadata(site_name="x", files=["a"]))),
    ("getTechDocsMetadata", docs_pb2.GetSiteMetadataResponse()),
    ("getEntityMetadata", docs_pb2.GetEntityMetadataResponse(
        body=httpbody_pb2.HttpBody(content_type="application/json", data=b"{}"))),
    ("getContent", docs_pb2.GetContentResponse(
        info=docs_pb2.ContentInfo(size_bytes=2**40), body=httpbody_pb2.HttpBody(data=b"\xff"))),
    ("getBuild", builds_pb2.GetBuildResponse(build=_full_build())),
    ("listBuilds", builds_pb2.ListBuildsResponse(builds=[_full_build()])),
    ("syncTechDocs", builds_pb2.SyncSiteResponse(message="up to date")),
    ("getSite", sites_pb2.GetSiteResponse(site=sites_pb2.Site(entity=ENTITY, create_time=Timestamp(seconds=1)))),
    ("listSites", sites_pb2.ListSitesResponse()),
    ("deleteSite", sites_pb2.DeleteSiteResponse()),
]  # fmt: skip


@pytest.mark.parametrize(("operation_id", "response"), ANSWERS)
def test_answers_fit_their_schema(table: RouteTable, written: JSONDocument, operation_id: str, response: Any) -> None:
    route: Route = next(route for route in table if route.operation.operation_id == operation_id)
    content = operation(written, operation_id)["responses"]["200"]["content"]
    answer = render(route, response)
    schema = {**content[answer.content_type]["schema"], "components": written["components"]}
    jsonschema_rs.Draft202012Validator(schema, validate_formats=True).validate(json.loads(answer.body))


def test_the_document_is_the_same_every_time(table: RouteTable) -> None:
    first, second = (json.dumps(document(table, server_url="/", version="1")) for _ in range(2))
    assert first == second
