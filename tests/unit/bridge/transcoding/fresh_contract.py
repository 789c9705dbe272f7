"""Contracts the bridge has never seen: .proto text, compiled and added to the default pool when a test asks."""

from __future__ import annotations

import importlib
import importlib.resources
import tempfile
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path

import google.api
import grpc_tools.protoc
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.message import Message
from techdocs_bridge.transcoding.binding import build_request
from techdocs_bridge.transcoding.routes import Found, RouteTable

_NUMBERS = count(1)
_HEAD = """
syntax = "proto3";
package fresh{number}.v1;
import "google/api/annotations.proto";
import "google/api/field_behavior.proto";
import "google/api/httpbody.proto";
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
"""


@dataclass(frozen=True)
class Contract:
    """A compiled file: its source with comments, and its descriptor in the default pool."""

    source: FileDescriptorProto
    file: FileDescriptor

    @property
    def table(self) -> RouteTable:
        """The routes of all its services."""
        return RouteTable.from_services(self.file.services_by_name.values())

    def message(self, name: str, /, **fields: object) -> Message:
        """Return a new message of one of its types."""
        return message_factory.GetMessageClass(self.file.message_types_by_name[name])(**fields)


def compile_contract(text: str) -> Contract:
    """Compile proto3 definitions, with google.api and the well-known types at hand, in a package of their own."""
    number = next(_NUMBERS)
    googleapis = Path(next(iter(google.api.__path__))).parent.parent
    well_known = importlib.resources.files("grpc_tools") / "_proto"
    name = f"fresh{number}.proto"
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch, name).write_text(_HEAD.replace("{number}", str(number)) + text)
        arguments = [f"-I{scratch}", f"-I{googleapis}", f"-I{well_known}"]
        image = Path(scratch, "image.binpb")
        code = grpc_tools.protoc.main(
            ["protoc", *arguments, "--include_source_info", f"--descriptor_set_out={image}", name]
        )
        assert code == 0, "the contract of the test does not compile"
        source = FileDescriptorSet.FromString(image.read_bytes()).file[0]
    for dependency in source.dependency:
        importlib.import_module(dependency.removesuffix(".proto").replace("/", ".") + "_pb2")
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(source.SerializeToString())
    return Contract(source, pool.FindFileByName(name))


def contract_of(*rpcs: str) -> Contract:
    """Compile a service of the given RPC texts over one `Thing` of a few fields."""
    return compile_contract("service ThingService {" + "\n".join(rpcs) + "}" + _THING)


def rpc(name: str, rule: str, *, request: str = "Thing", response: str = "Thing") -> str:
    """Return the text of one RPC with an annotation."""
    return f"rpc {name}({request}) returns ({response}) {{ option (google.api.http) = {{ {rule} }}; }}"


_THING = """
message Thing {
  string name = 1;
  Inner inner = 2;
  repeated string tags = 3;
  map<string, string> labels = 4;
  string made_by = 5 [(google.api.field_behavior) = OUTPUT_ONLY];
  int32 size = 6;
}
message Inner { string id = 1; Inner inner = 2; }
"""


@cache
def everything() -> Contract:
    """Return a contract with one field of every kind that HTTP can carry."""
    return compile_contract(_EVERYTHING)


def bind(
    contract: Contract,
    http_method: str,
    path: str,
    *,
    query: str = "",
    body: bytes = b"",
    content_type: str | None = None,
    ignore_unknown_query: bool = False,
) -> Message:
    """Route a request of a contract and build its message."""
    found = contract.table.find(http_method, path.encode(), mount="")
    assert isinstance(found, Found), f"{http_method} {path} has no route"
    return build_request(
        found.route,
        found.variables,
        query=query.encode("latin-1"),
        body=body,
        content_type=content_type,
        ignore_unknown_query=ignore_unknown_query,
    )


_EVERYTHING = """
// Keeps things.
service EverythingService {
  // Finds things. Nothing is changed
  // by it.
  rpc Find(Everything) returns (Everything) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (google.api.http) = {get: "/everything/{text}"};
  }
  // Stores a thing.
  rpc Store(Everything) returns (Everything) {
    option (google.api.http) = {post: "/everything" body: "*"};
  }
  // Changes a thing.
  rpc Change(ChangeRequest) returns (Everything) {
    option (google.api.http) = {patch: "/everything/{name=shelves/*/things/*}" body: "thing" response_body: "inner"};
  }
  // Sets the words.
  rpc SetWords(ChangeRequest) returns (Everything) {
    option (google.api.http) = {put: "/everything/words" body: "words" response_body: "words"};
  }
  // Takes bytes.
  rpc Upload(ChangeRequest) returns (google.api.HttpBody) {
    option (google.api.http) = {post: "/upload/{name}" body: "raw"};
  }
  // Takes nothing but bytes.
  rpc Echo(google.api.HttpBody) returns (google.api.HttpBody) {
    option (google.api.http) = {post: "/echo" body: "*"};
  }
  // Follows things.
  rpc Follow(Everything) returns (stream Everything) {
    option (google.api.http) = {get: "/everything/{large}:follow"};
  }
  // Counts.
  rpc Count(Everything) returns (Everything) {
    option (google.api.http) = {get: "/count" response_body: "large" additional_bindings {
      custom: {kind: "PURGE" path: "/count"} response_body: "counts"
    }};
  }
  rpc NotOnTheWeb(Everything) returns (Everything) {}
}

message ChangeRequest {
  string name = 1 [(google.api.field_behavior) = REQUIRED];
  Everything thing = 2;
  repeated string words = 3;
  google.api.HttpBody raw = 4;
  bool dry_run = 5;
  google.protobuf.FieldMask update_mask = 6;
}

enum Color {
  COLOR_UNSPECIFIED = 0;
  COLOR_RED = 1;
  COLOR_DARK_BLUE = 2;
}

// All there is.
message Everything {
  // Some text.
  string text = 1;
  bool flag = 2;
  int32 small = 3;
  int64 large = 4;
  uint32 unsigned_small = 5;
  uint64 unsigned_large = 6;
  double ratio = 7;
  float short_ratio = 8;
  bytes blob = 9;
  Color color = 10;
  google.protobuf.Timestamp seen_at = 11;
  google.protobuf.Duration lasting = 12;
  google.protobuf.FieldMask mask = 13;
  google.protobuf.StringValue maybe_text = 14;
  google.protobuf.BoolValue maybe_flag = 15;
  google.protobuf.Struct free = 16;
  google.protobuf.Value loose = 17;
  google.protobuf.Any packed = 18;
  repeated string words = 19;
  repeated Color colors = 20;
  repeated google.protobuf.Timestamp times = 21;
  repeated Everything children = 22;
  map<int32, string> counts = 23;
  map<string, Everything> named = 24;
  Everything inner = 25;
  optional int32 maybe_small = 26;
  oneof choice {
    string left = 27;
    Everything right = 28;
  }
  string made_by = 29 [(google.api.field_behavior) = OUTPUT_ONLY];
  string odd_one = 30 [json_name = "odd"];
}
"""
