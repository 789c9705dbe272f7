"""An RPC the bridge was not written for: annotated in a contract of its own, it needs no code here."""

from __future__ import annotations

import json

import pytest
from techdocs_bridge.transcoding.binding import RequestInvalid, build_request
from techdocs_bridge.transcoding.comments import Comments
from techdocs_bridge.transcoding.openapi import document
from techdocs_bridge.transcoding.rendering import render
from techdocs_bridge.transcoding.routes import Found, WrongMethod

from tests.unit.bridge.transcoding.fresh_contract import Contract, compile_contract

_CONTRACT = """
// Bookmarks of readers.
service BookmarkService {
  // Moves a bookmark to another page. Answers with the bookmark as it
  // stands then.
  rpc MoveBookmark(MoveBookmarkRequest) returns (MoveBookmarkResponse) {
    option idempotency_level = IDEMPOTENT;
    option (google.api.http) = {
      patch: "/v1/{bookmark.name=readers/*/bookmarks/*}:move"
      body: "bookmark"
      response_body: "bookmark"
    };
  }
}
message MoveBookmarkRequest {
  // The bookmark.
  Bookmark bookmark = 1 [(google.api.field_behavior) = REQUIRED];
  // Only check.
  bool dry_run = 2;
}
message MoveBookmarkResponse { Bookmark bookmark = 1; }
// A place in a document.
message Bookmark {
  // Its name.
  string name = 1 [(google.api.field_behavior) = IDENTIFIER];
  // The page.
  string page = 2;
  int64 line = 3;
  google.protobuf.Timestamp move_time = 4 [(google.api.field_behavior) = OUTPUT_ONLY];
}
"""


@pytest.fixture(scope="module")
def contract() -> Contract:
    return compile_contract(_CONTRACT)


@pytest.fixture(scope="module")
def found(contract: Contract) -> Found:
    match = contract.table.find("PATCH", b"/api/v1/readers/me/bookmarks/7:move", mount="/api")
    assert isinstance(match, Found)
    return match


def test_it_is_routed(contract: Contract, found: Found) -> None:
    assert found.variables == {"bookmark.name": "readers/me/bookmarks/7"}
    assert found.route.grpc_path == f"/{contract.file.package}.BookmarkService/MoveBookmark"
    assert found.route.idempotent
    assert contract.table.find("GET", b"/v1/readers/me/bookmarks/7:move", mount="") == WrongMethod(("PATCH",))


def test_it_is_bound(contract: Contract, found: Found) -> None:
    request = build_request(
        found.route, found.variables, query=b"dry_run=true", body=b'{"page": "guide/", "line": "12"}', content_type=None
    )
    bookmark = contract.message("Bookmark", name="readers/me/bookmarks/7", page="guide/", line=12)
    assert request == contract.message("MoveBookmarkRequest", bookmark=bookmark, dry_run=True)
    with pytest.raises(RequestInvalid, match=r"bookmark\.name: is given by the path already; dryrun: .*dry_run"):
        build_request(found.route, found.variables, query=b"dryrun=1", body=b'{"name": "x"}', content_type=None)


def test_it_is_rendered(contract: Contract, found: Found) -> None:
    bookmark = contract.message("Bookmark", page="guide/", line=12)
    answer = render(found.route, contract.message("MoveBookmarkResponse", bookmark=bookmark))
    assert json.loads(answer.body) == {"name": "", "page": "guide/", "line": "12"}


def test_it_is_documented(contract: Contract) -> None:
    comments = Comments.of_files([contract.source])
    written = json.loads(json.dumps(document(contract.table, server_url="/", version="1", comments=comments)))
    operation = written["paths"]["/v1/readers/{reader}/bookmarks/{bookmark}:move"]["patch"]
    assert operation["operationId"] == "moveBookmark"
    assert operation["tags"] == ["Bookmark"]
    assert operation["summary"] == "Moves a bookmark to another page"
    assert [(p["name"], p["in"], p["required"]) for p in operation["parameters"]] == [
        ("reader", "path", True), ("bookmark", "path", True), ("dryRun", "query", False),
    ]  # fmt: skip
    assert operation["requestBody"]["required"]
    reference = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
    schema = written["components"]["schemas"][reference.rpartition("/")[2]]
    assert schema["description"] == "A place in a document."
    assert schema["properties"]["line"]["type"] == "string"
    assert schema["properties"]["moveTime"] == {"type": "string", "format": "date-time", "readOnly": True}
