from __future__ import annotations

import json

import pytest
from google.api import httpbody_pb2
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2, status_pb2
from techdocs.v1 import builds_pb2, capabilities_pb2, docs_pb2
from techdocs_bridge.transcoding.http_rules import Route
from techdocs_bridge.transcoding.rendering import Rendered, ResponseUnprintable, render, render_line
from techdocs_bridge.transcoding.routes import RouteTable, services

from tests.unit.bridge.transcoding.fresh_contract import everything


def ours(operation: str) -> Route:
    return next(r for r in RouteTable.from_services(services()) if r.operation.operation_id == operation)


def fresh(operation: str) -> Route:
    return next(r for r in everything().table if r.operation.operation_id == operation)


def everything_with(**fields: object) -> Message:
    return everything().message("Everything", **fields)


def test_the_named_field_of_the_response_is_the_whole_answer() -> None:
    metadata = docs_pb2.SiteMetadata(
        site_name="Shöp", etag="abc", build_timestamp=Timestamp(seconds=1769860800), files=["index.html"]
    )
    answer = render(ours("getTechDocsMetadata"), docs_pb2.GetSiteMetadataResponse(metadata=metadata, revision="0f"))
    assert answer == Rendered(
        "application/json",
        '{"site_name":"Shöp","etag":"abc","build_timestamp":"2026-01-31T12:00:00Z","files":["index.html"],'
        '"site_description":""}'.encode(),
    )


def test_fields_without_presence_are_always_there() -> None:
    answer = json.loads(render(ours("listBuilds"), builds_pb2.ListBuildsResponse()).body)
    assert answer == {"builds": [], "nextPageToken": ""}
    answer = json.loads(render(ours("syncTechDocs"), builds_pb2.SyncSiteResponse()).body)
    assert answer == {"message": "", "updated": False, "revision": "", "build": ""}
    answer = json.loads(render(ours("getCapabilities"), capabilities_pb2.GetCapabilitiesResponse()).body)
    assert answer["maxSiteFiles"] == 0


def test_64_bit_integers_are_strings() -> None:
    info = docs_pb2.ContentInfo(size_bytes=2**53 + 1)
    answer = json.loads(render(ours("getContent"), docs_pb2.GetContentResponse(info=info)).body)
    assert answer["info"]["sizeBytes"] == "9007199254740993"


def test_an_http_body_is_its_bytes_and_type() -> None:
    body = httpbody_pb2.HttpBody(content_type="application/json", data=b'{"kind":"Component"}')
    answer = render(ours("getEntityMetadata"), docs_pb2.GetEntityMetadataResponse(body=body))
    assert answer == Rendered("application/json", b'{"kind":"Component"}')
    assert render(fresh("echo"), httpbody_pb2.HttpBody(data=b"\xff")) == Rendered("application/octet-stream", b"\xff")


@pytest.mark.parametrize(
    ("operation", "fields", "body"),
    [
        ("count", {"large": 7, "text": "x"}, b'"7"'),
        ("count", {}, b'"0"'),
        ("count2", {"counts": {1: "a"}}, b'{"1":"a"}'),
        ("count2", {}, b"{}"),
        ("setWords", {"words": ["a", "\u2028"]}, '["a","\u2028"]'.encode()),
        ("setWords", {"text": "x"}, b"[]"),
    ],
)
def test_a_named_field_of_any_kind_is_an_answer(operation: str, fields: dict[str, object], body: bytes) -> None:
    assert render(fresh(operation), everything_with(**fields)) == Rendered("application/json", body)


def test_a_line_has_one_line_feed_at_its_end() -> None:
    event = builds_pb2.BuildEvent(sequence=3, log=builds_pb2.LogLine(text="a\nb\r\n"))
    line = render_line(ours("watchBuild"), builds_pb2.WatchBuildResponse(event=event))
    assert line == b'{"event":{"sequence":"3","log":{"text":"a\\nb\\r\\n","severity":"LOG_SEVERITY_UNSPECIFIED"}}}\n'


def test_error_details_inside_a_build_are_printed() -> None:
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.ErrorInfo(reason="BUILD_FAILED", domain="techdocs"))
    build = builds_pb2.Build(error=status_pb2.Status(code=10, message="failed", details=[detail]))
    answer = json.loads(render(ours("getBuild"), builds_pb2.GetBuildResponse(build=build)).body)
    assert answer["error"]["details"] == [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "BUILD_FAILED",
            "domain": "techdocs",
            "metadata": {},
        }
    ]


@pytest.mark.parametrize(
    "detail",
    [
        any_pb2.Any(type_url="type.googleapis.com/no.such.Type", value=b""),
        any_pb2.Any(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\xff"),
    ],
)
def test_what_has_no_json_form_is_an_error_that_names_the_method(detail: any_pb2.Any) -> None:
    build = builds_pb2.Build(error=status_pb2.Status(details=[detail]))
    for _ in range(2):
        with pytest.raises(ResponseUnprintable, match=r"techdocs\.v1\.BuildService\.GetBuild"):
            render(ours("getBuild"), builds_pb2.GetBuildResponse(build=build))
