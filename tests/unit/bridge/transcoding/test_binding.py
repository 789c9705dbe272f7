from __future__ import annotations

import json

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from techdocs.v1 import builds_pb2, docs_pb2, entity_pb2, sites_pb2
from techdocs_bridge.transcoding.binding import RequestInvalid, UnsupportedMediaType, build_request
from techdocs_bridge.transcoding.json_body import MAX_JSON_BYTES
from techdocs_bridge.transcoding.routes import Found, RouteTable, services

from tests.unit.bridge.transcoding.fresh_contract import bind, compile_contract, everything

ENTITY = entity_pb2.EntityRef(namespace="default", kind="component", name="shop")


def ours(method: str, path: bytes, *, query: bytes = b"", body: bytes = b"") -> Message:
    found = RouteTable.from_services(services()).find(method, path, mount="/api/techdocs")
    assert isinstance(found, Found)
    return build_request(found.route, found.variables, query=query, body=body, content_type=None)


def store(body: object, **arguments: str) -> Message:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return bind(everything(), "POST", "/everything", body=raw, **arguments)  # type: ignore[arg-type] # only content_type is given


def faults(body: object) -> list[tuple[str, str]]:
    with pytest.raises(RequestInvalid) as caught:
        store(body)
    return [(violation.field, violation.description) for violation in caught.value.violations]


def test_requests_of_the_contract_become_its_messages() -> None:
    docs = b"/docs/default/component/shop"
    assert ours("GET", docs) == docs_pb2.ReadContentRequest(entity=ENTITY)
    assert ours("GET", docs + b"/a%20b/") == docs_pb2.ReadContentRequest(entity=ENTITY, path="a b/")
    assert ours(
        "GET", docs + b"/x", query=b"readOffset=-5&read_limit=7&ifNoneMatch=%22a%22&if_none_match=*&view=2"
    ) == docs_pb2.ReadContentRequest(
        entity=ENTITY,
        path="x",
        read_offset=-5,
        read_limit=7,
        if_none_match=['"a"', "*"],
        view=docs_pb2.CONTENT_VIEW_INFO,
    )
    assert ours("GET", b"/v1/builds", query=b"entity.kind=api&states=5&states=BUILD_STATE_FAILED&pageSize=10") == (
        builds_pb2.ListBuildsRequest(
            entity=entity_pb2.EntityRef(kind="api"),
            states=[builds_pb2.BUILD_STATE_SUCCEEDED, builds_pb2.BUILD_STATE_FAILED],
            page_size=10,
        )
    )
    assert ours("POST", b"/v1/builds/7:cancel") == builds_pb2.CancelBuildRequest(name="builds/7")
    body = b'{"entity": {"kind": "component", "name": "shop", "namespace": "default"}, "force": true}'
    assert ours("POST", b"/v1/builds", body=body) == builds_pb2.CreateBuildRequest(entity=ENTITY, force=True)
    rollback = b"/v1/sites/default/component/shop:rollback"
    assert ours("POST", rollback, body=b'{"revision": "0f"}') == (
        sites_pb2.RollbackSiteRequest(entity=ENTITY, revision="0f")
    )


def test_path_variables_are_converted_to_the_type_of_their_field() -> None:
    assert bind(everything(), "GET", "/everything/-7:follow") == everything().message("Everything", large=-7)
    with pytest.raises(RequestInvalid, match="large: must be an integer"):
        bind(everything(), "GET", "/everything/x:follow")


@pytest.mark.parametrize("body", [b"", b"  \n", b"{}", b" {} "])
def test_an_empty_body_is_an_empty_object(body: bytes) -> None:
    assert store(body) == everything().message("Everything")


@pytest.mark.parametrize("body", [b"", b"{}", b" {}\n"])
def test_a_route_without_a_body_takes_an_empty_one(body: bytes) -> None:
    bind(everything(), "GET", "/everything/x", body=body, content_type="text/plain")


@pytest.mark.parametrize("body", [b"x", b'{"flag": true}', b"null", b"[]"])
def test_a_route_without_a_body_refuses_any_other(body: bytes) -> None:
    with pytest.raises(RequestInvalid, match="body: must be empty"):
        bind(everything(), "GET", "/everything/x", body=body)


@pytest.mark.parametrize(
    "content_type",
    ["", "application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"',
     "application/merge-patch+json", "application/json; profile=x"],
)  # fmt: skip
def test_json_is_read_under_all_its_names(content_type: str) -> None:
    assert store({"flag": True}, content_type=content_type) == everything().message("Everything", flag=True)


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "text/json", "json", "image/svg+json",
     "application/json; charset=latin-1", "multipart/form-data; boundary=x"],
)  # fmt: skip
def test_a_body_of_another_type_is_not_looked_at(content_type: str) -> None:
    with pytest.raises(UnsupportedMediaType) as caught:
        store(b"\xff not json", content_type=content_type)
    assert caught.value.supported == ("application/json",)


def test_a_body_fills_every_kind_of_field() -> None:
    body = {
        "text": "ü", "flag": True, "small": 1e2, "large": "-9223372036854775808", "unsignedLarge": 18446744073709551615,
        "ratio": "NaN", "short_ratio": 1.5, "blob": "+/8", "color": "COLOR_RED", "seenAt": "2026-01-31T12:00:00Z",
        "lasting": "1.5s", "mask": "text,seenAt", "maybeText": "", "maybeFlag": False, "free": {"a": [1, None, {}]},
        "loose": None, "packed": {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "1s"},
        "words": ["a", ""], "colors": [1, "COLOR_DARK_BLUE"], "times": ["2026-01-01T00:00:00Z"],
        "children": [{"text": "x"}, {}], "counts": {"-1": "a", "2": "b"}, "named": {"k": {"flag": True}},
        "inner": {"inner": {}}, "maybeSmall": 0, "right": {"small": 3}, "odd": "o",
    }  # fmt: skip
    reference = json_format.Parse(json.dumps(body), everything().message("Everything"))
    assert store(body).SerializeToString(deterministic=True) == reference.SerializeToString(deterministic=True)


def test_null_means_not_given() -> None:
    nothing = dict.fromkeys(["text", "small", "words", "inner", "counts", "maybeText", "left", "madeBy"])
    assert store(nothing) == everything().message("Everything")
    assert store({"left": None, "right": {}}).WhichOneof("choice") == "right"


@pytest.mark.parametrize(
    ("body", "field", "complaint"),
    [
        ({"smal": 1}, "smal", "is not a field here (did you mean small?)"),
        ({"inner": {"children": [{}, {"wurds": []}]}}, "inner.children[1].wurds",
         "is not a field here (did you mean words?)"),
        ({"named": {"a b": {"zzz": 1}}}, "named[a b].zzz", "is not a field here"),
        ({"[x.y]": 1}, "[x.y]", "is not a field here"),
        ({"small": "x"}, "small", "must be an integer from -2147483648 to 2147483647"),
        ({"children": [{"small": True}]}, "children[0].small", "must be an integer from -2147483648 to 2147483647"),
        ({"flag": "true"}, "flag", "must be true or false, without quotes"),
        ({"inner": []}, "inner", "must be an object"),
        ({"inner": "x"}, "inner", "must be an object"),
        ({"words": "a"}, "words", "must be an array"),
        ({"words": ["a", None]}, "words[1]", "must not be null"),
        ({"words": [["a"]]}, "words[0]", "must be a string"),
        ({"children": [None]}, "children[0]", "must not be null"),
        ({"counts": []}, "counts", "must be an object"),
        ({"counts": {"x": "a"}}, "counts[x]", "has a key that must be an integer from -2147483648 to 2147483647"),
        ({"counts": {"1": None}}, "counts[1]", "must be a string"),
        ({"color": "RED"}, "color", "must be one of COLOR_UNSPECIFIED, COLOR_RED, COLOR_DARK_BLUE"),
        ({"seenAt": 5}, "seenAt", "must be a time such as 2026-01-31T12:00:00Z"),
        ({"times": ["x"]}, "times[0]", "must be a time such as 2026-01-31T12:00:00Z"),
        ({"maybeFlag": "x"}, "maybeFlag", "must be true or false, without quotes"),
        ({"free": []}, "free", "must be an object"),
        ({"packed": {"@type": "x/no.such.Type"}}, "packed", "must be an object with an @type that this service knows"),
        ({"packed": {"a": 1}}, "packed", "must be an object with an @type that this service knows"),
        ({"packed": {"@type": "x/google.protobuf.Duration"}}, "packed",
         "must be an object with an @type that this service knows"),
        ({"packed": {"@type": 7}}, "packed", "must be an object with an @type that this service knows"),
        ({"unsignedSmall": 1, "unsigned_small": 1}, "unsigned_small",
         "is given twice, as unsigned_small and as unsignedSmall"),
        ({"left": "a", "right": {}}, "right", "excludes left, which is given too"),
        ({"madeBy": "me"}, "madeBy", "is set by the server only"),
        ({"inner": {"made_by": "me"}}, "inner.made_by", "is set by the server only"),
        ([], "body", "must be an object"),
        (None, "body", "must be an object"),
        (b"{", "body", "is not JSON: line 1, column 2"),
        (b'{"a": 1,}', "body", "is not JSON: line 1, column 9"),
        (b"\xff", "body", "must be UTF-8"),
        (b"\xef\xbb\xbf{}", "body", "is not JSON: line 1, column 1"),
        (b"{}{}", "body", "is not JSON: line 1, column 3"),
        (b'{"ratio": NaN}', "body", "is not JSON: NaN and Infinity must be strings"),
        (b'{"ratio": 1e999}', "body", "has a number that is too large"),
        (b'{"large": ' + b"9" * 5000 + b"}", "body", "has a number that is too long"),
        (b'{"text": "a", "text": "b"}', "body", "gives the key text twice in one object"),
        (b'{"free": {"x": {"a": 1, "a": 1}}}', "body", "gives the key a twice in one object"),
        (b'{"text": "\\ud800"}', "text", "must not have half of a surrogate pair"),
        (b"[" * 100_000, "body", "is nested too deeply"),
        (b'{"inner":' * 40 + b"{}" + b"}" * 40, "inner" + ".inner" * 31, "is nested too deeply"),
        (b'{"free":' + b'{"a":' * 200 + b"{}" + b"}" * 201, "free", "must be an object"),
        (b'"' + b"x" * MAX_JSON_BYTES + b'"', "body", f"must not be larger than {MAX_JSON_BYTES} bytes"),
    ],
)  # fmt: skip
def test_a_fault_in_a_body_is_named_by_its_path(body: object, field: str, complaint: str) -> None:
    assert faults(body) == [(field, complaint)]


def test_all_faults_of_path_body_and_query_are_told_at_once() -> None:
    with pytest.raises(RequestInvalid) as caught:
        bind(everything(), "PATCH", "/everything/shelves/1/things/2", query="dryRun=x", body=b'{"a": 1, "small": "b"}')
    assert [violation.field for violation in caught.value.violations] == ["thing.a", "thing.small", "dryRun"]
    assert "thing.a: is not a field here; thing.small: must be" in str(caught.value)


def test_a_body_must_not_override_the_path() -> None:
    with pytest.raises(RequestInvalid, match=r"^name: is given by the path already$"):
        ours("POST", b"/v1/builds/7:cancel", body=b'{"name": "builds/8"}')
    with pytest.raises(RequestInvalid, match=r"^entity.name: is given by the path already$"):
        ours("POST", b"/v1/sites/default/component/shop:rollback", body=b'{"entity": {"name": "other"}}')


def test_a_field_the_path_binds_is_free_in_other_messages_of_its_type() -> None:
    contract = compile_contract(
        """
        service NodeService {
          rpc Put(Node) returns (Node) { option (google.api.http) = {put: "/nodes/{name}" body: "*"}; }
        }
        message Node { string name = 1; Node inner = 2; repeated Node list = 3; map<string, Node> map = 4; }
        """
    )
    body = {"inner": {"name": "b"}, "list": [{"name": "c"}], "map": {"k": {"name": "d"}}}
    found = bind(contract, "PUT", "/nodes/a", body=json.dumps(body).encode())
    assert json_format.MessageToDict(found) == {"name": "a", **body}


def test_a_named_body_fills_that_field_alone() -> None:
    found = bind(everything(), "PATCH", "/everything/shelves/1/things/2", body=b'{"small": 5}')
    thing = everything().message("Everything", small=5)
    assert found == everything().message("ChangeRequest", name="shelves/1/things/2", thing=thing)
    found = bind(everything(), "PUT", "/everything/words", body=b'["a", "b"]')
    assert found == everything().message("ChangeRequest", words=["a", "b"])


def test_a_named_body_that_is_empty_leaves_its_field_unset() -> None:
    assert not bind(everything(), "PATCH", "/everything/shelves/1/things/2").HasField("thing")
    assert bind(everything(), "PATCH", "/everything/shelves/1/things/2", body=b"{}").HasField("thing")


def test_raw_bodies_are_taken_with_their_type_whatever_it_is() -> None:
    found = bind(everything(), "POST", "/upload/x", body=b"\xff\0{", content_type="image/png")
    assert (getattr(found, "raw").data, getattr(found, "raw").content_type) == (b"\xff\0{", "image/png")  # noqa: B009 - the stub of Message knows no fields
    found = bind(everything(), "POST", "/echo", body=b"\xff")
    assert (getattr(found, "data"), getattr(found, "content_type")) == (b"\xff", "")  # noqa: B009 - the stub of Message knows no fields


json_documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.sampled_from(["text", "small", "words", "inner", "children", "counts", "free", "seenAt", "1", "left"]),
            children,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_documents)
@settings(deadline=None, max_examples=300)
def test_a_body_that_is_accepted_is_read_as_the_reference_reader_reads_it(document: object) -> None:
    try:
        accepted = store(document)
    except RequestInvalid:
        return
    reference = json_format.ParseDict(document, everything().message("Everything"))  # type: ignore[arg-type] # only objects are accepted
    assert accepted.SerializeToString(deterministic=True) == reference.SerializeToString(deterministic=True)
