from __future__ import annotations

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from techdocs_bridge.transcoding.binding import RequestInvalid
from techdocs_bridge.transcoding.query import MAX_PARAMETERS, query_parameters

from tests.unit.bridge.transcoding.fresh_contract import bind, everything


def find(query: str, *, ignore_unknown: bool = False) -> Message:
    return bind(everything(), "GET", "/everything/x", query=query, ignore_unknown_query=ignore_unknown)


def faults(query: str, *, ignore_unknown: bool = False) -> list[tuple[str, str]]:
    with pytest.raises(RequestInvalid) as caught:
        find(query, ignore_unknown=ignore_unknown)
    return [(violation.field, violation.description) for violation in caught.value.violations]


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("", {}),
        ("&&", {}),
        ("flag=true&small=-1", {"flag": True, "small": -1}),
        ("unsignedSmall=1", {"unsigned_small": 1}),
        ("unsigned_small=1", {"unsigned_small": 1}),
        ("words=a&words=b&words=", {"words": ["a", "b", ""]}),
        ("words=a%26b%3Dc+d%2B&words=%C3%BC", {"words": ["a&b=c d+", "ü"]}),
        ("words=a=b", {"words": ["a=b"]}),
        ("words", {"words": [""]}),
        ("colors=COLOR_RED&colors=2", {"colors": [1, 2]}),
        ("odd=x", {"odd_one": "x"}),
        ("odd_one=x", {"odd_one": "x"}),
        ("maybeSmall=0", {"maybe_small": 0}),
        ("left=", {"left": ""}),
        ("%66lag=true", {"flag": True}),
        ("blob=-_8", {"blob": b"\xfb\xff"}),
    ],
)
def test_parameters_fill_fields(query: str, fields: dict[str, object]) -> None:
    assert find(query) == everything().message("Everything", text="x", **fields)


def test_dotted_names_reach_into_messages_in_both_spellings() -> None:
    expected = everything().message("Everything", text="x")
    inner = everything().message("Everything", small=1, inner=everything().message("Everything", unsigned_small=2))
    expected.MergeFrom(everything().message("Everything", inner=inner))
    assert find("inner.small=1&inner.inner.unsignedSmall=2") == expected
    assert find("inner.inner.unsigned_small=2&inner.small=1") == expected


@pytest.mark.parametrize(
    ("query", "json"),
    [
        ("seenAt=2026-01-31T12:00:00.5Z", "2026-01-31T12:00:00.500Z"),
        ("seen_at=2026-01-31T12:00:00%2B02:00", "2026-01-31T10:00:00Z"),
        ("lasting=-1.5s", "-1.500s"),
        ("mask=text,unsignedSmall", "text,unsignedSmall"),
    ],
)
def test_messages_with_a_text_form_are_written_as_in_json(query: str, json: str) -> None:
    name = {"seenAt": "seen_at"}.get(query.partition("=")[0], query.partition("=")[0])
    assert getattr(find(query), name).ToJsonString() == json


def test_wrappers_tell_a_default_value_from_none() -> None:
    assert find("maybeFlag=false").HasField("maybe_flag")
    assert find("maybeText=").HasField("maybe_text")
    assert not find("").HasField("maybe_flag")


def test_repeated_messages_with_a_text_form_are_repeated() -> None:
    found = find("times=2026-01-01T00:00:00Z&times=2026-01-02T00:00:00Z")
    assert [time.ToJsonString() for time in getattr(found, "times")] == ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]  # noqa: B009 - the stub of Message knows no fields


@pytest.mark.parametrize(
    ("query", "field", "complaint"),
    [
        ("smal=1", "smal", "is not a field of this request (did you mean small?)"),
        ("unsignedSmal=1", "unsignedSmal", "is not a field of this request (did you mean unsignedSmall?)"),
        ("unsigned_smal=1", "unsigned_smal", "is not a field of this request (did you mean unsigned_small?)"),
        ("inner.smal=1", "inner.smal", "is not a field of this request (did you mean inner.small?)"),
        ("zzz=1", "zzz", "is not a field of this request"),
        ("=1", "", "is not a field of this request"),
        ("small.x=1", "small.x", "is not a field of this request (did you mean small?)"),
        ("inner..small=1", "inner..small", "is not a field of this request (did you mean inner.small?)"),
        ("text=y", "text", "is given by the path already"),
        ("small=1&small=1", "small", "is given more than once"),
        ("unsignedSmall=1&unsigned_small=2", "unsigned_small", "is given more than once"),
        ("inner=x", "inner", "is a message: give its fields, such as inner.text"),
        ("free=x", "free", "is a message: give its fields, such as free.fields"),
        ("children=x", "children", "cannot be given in a query"),
        ("counts=x", "counts", "cannot be given in a query"),
        ("packed=x", "packed", "is a message: give its fields, such as packed.typeUrl"),
        ("madeBy=x", "madeBy", "is set by the server only"),
        ("inner.made_by=x", "inner.made_by", "is set by the server only"),
        ("inner.inner.inner.inner.text=x", "inner.inner.inner.inner.text", "cannot be given in a query"),
        ("left=a&right.text=b", "right.text", "excludes left, which is given too"),
        ("right.text=b&left=a", "left", "excludes right, which is given too"),
        ("flag=yes", "flag", "must be true or false"),
        ("flag=%zz", "flag", "has a % that is not followed by two hexadecimal digits"),
        ("flag=%ff", "flag", "is not UTF-8 after percent-decoding"),
        ("flag=\xff", "flag", "is not UTF-8 after percent-decoding"),
        ("%zz=1", "query", "has a % that is not followed by two hexadecimal digits"),
        ("seenAt=yesterday", "seenAt", "must be a time such as 2026-01-31T12:00:00Z"),
        ("seenAt=2026-02-30T00:00:00Z", "seenAt", "must be a time such as 2026-01-31T12:00:00Z"),
        ("seenAt=2026-1-1T0:0:0Z", "seenAt", "must be a time such as 2026-01-31T12:00:00Z"),
        ("lasting=5", "lasting", "must be a duration such as 1.5s"),
        ("lasting=999999999999s", "lasting", "must be a duration such as 1.5s"),
        ("mask=a%20b", "mask", "must be a field mask such as title,entity.kind"),
        ("maybeFlag=1", "maybeFlag", "must be true or false"),
    ],
)  # fmt: skip
def test_what_means_nothing_is_refused_by_name(query: str, field: str, complaint: str) -> None:
    assert faults(query) == [(field, complaint)]


def test_all_faults_are_told_at_once_up_to_a_bound() -> None:
    assert [field for field, _ in faults("smal=1&flag=x&madeBy=y")] == ["smal", "flag", "madeBy"]
    assert len(faults("&".join(f"x{number}=1" for number in range(100)))) == 20


def test_parameters_are_bounded_in_number() -> None:
    find("&".join(["words=a"] * MAX_PARAMETERS))
    assert faults("&".join(["words=a"] * (MAX_PARAMETERS + 1))) == [
        ("query", f"must not have more than {MAX_PARAMETERS} parameters")
    ]


def test_names_are_repeated_without_what_a_terminal_obeys_and_not_at_length() -> None:
    ((field, _),) = faults("a%1b%5b31m%0d%0a%e2%80%ae=1")
    assert field.isprintable()
    ((field, description),) = faults(f"{'x' * 5000}=1")
    assert len(field) < 300
    assert "did you mean" not in description


def test_unknown_names_may_be_ignored_but_nothing_else() -> None:
    assert getattr(find("utm_source=x&small=1", ignore_unknown=True), "small") == 1  # noqa: B009 - the stub of Message knows no fields
    assert [field for field, _ in faults("utm=1&flag=x&text=y&inner=z&madeBy=a", ignore_unknown=True)] == [
        "flag", "text", "inner", "madeBy",
    ]  # fmt: skip


def test_a_field_of_the_body_is_refused_in_the_query() -> None:
    for path, method, name in (("/everything", "POST", "flag"), ("/upload/x", "POST", "raw.data")):
        with pytest.raises(RequestInvalid, match="belongs in the body"):
            bind(everything(), method, path, query=f"{name}=true")


def test_fields_beside_a_named_body_are_parameters() -> None:
    found = bind(everything(), "PATCH", "/everything/shelves/1/things/2", query="dryRun=true&updateMask=small")
    assert getattr(found, "dry_run")  # noqa: B009 - the stub of Message knows no fields


def test_parameters_of_a_route_are_listed_without_what_it_cannot_take() -> None:
    routes = {route.method.name: route for route in everything().table if route.binding == 0}
    names = {parameter.json_path for parameter in query_parameters(routes["Find"])}
    assert {"flag", "odd", "seenAt", "times", "maybeFlag", "inner.inner.inner.small", "right.text"} <= names
    assert not {"text", "madeBy", "inner", "children", "counts", "free", "packed"} & names
    assert query_parameters(routes["Store"]) == ()
    assert {p.json_path for p in query_parameters(routes["Change"])} >= {"dryRun", "updateMask", "words"}
    assert not any(p.json_path.startswith("thing") for p in query_parameters(routes["Change"]))


@given(st.text(max_size=40))
@settings(deadline=None)
def test_any_query_gives_a_message_or_a_refusal(query: str) -> None:
    try:
        find(query.encode().decode("latin-1"))
    except RequestInvalid as refusal:
        assert refusal.violations  # noqa: PT017 - a refusal is one of the two good outcomes
