"""Values as ProtoJSON writes them, through the fields of one message of all kinds."""

from __future__ import annotations

import base64
import math

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import given, settings
from hypothesis import strategies as st
from techdocs_bridge.transcoding.scalars import ValueInvalid, from_json, from_text

from tests.unit.bridge.transcoding.fresh_contract import everything


def field(name: str) -> FieldDescriptor:
    return everything().file.message_types_by_name["Everything"].fields_by_name[name]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("text", "", ""),
        ("text", "ü /\\ 😀", "ü /\\ 😀"),
        ("flag", "true", True),
        ("flag", "false", False),
        ("small", "-2147483648", -(2**31)),
        ("small", "2147483647", 2**31 - 1),
        ("small", "1e3", 1000),
        ("small", "5.0", 5),
        ("small", "-0", 0),
        ("large", "-9223372036854775808", -(2**63)),
        ("large", "9007199254740993e0", 2**53 + 1),
        ("unsigned_small", "4294967295", 2**32 - 1),
        ("unsigned_large", "18446744073709551615", 2**64 - 1),
        ("ratio", "-1.5e-3", -0.0015),
        ("ratio", "Infinity", math.inf),
        ("ratio", "-Infinity", -math.inf),
        ("short_ratio", "3.4028234e38", 3.4028234e38),
        ("blob", "", b""),
        ("blob", "+/8=", b"\xfb\xff"),
        ("blob", "-_8", b"\xfb\xff"),
        ("color", "COLOR_DARK_BLUE", 2),
        ("color", "2", 2),
        ("color", "77", 77),
        ("color", "-1", -1),
    ],
)
def test_text_becomes_the_value_of_the_field(name: str, text: str, value: object) -> None:
    assert from_text(field(name), text) == value


def test_not_a_number_is_spelt_as_in_json() -> None:
    assert math.isnan(float(from_text(field("ratio"), "NaN")))


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        *(("flag", text, "true or false") for text in ("", "True", "1", "yes", " true")),
        *(
            ("small", text, "integer from -2147483648 to 2147483647")
            for text in ("", "x", "1_000", " 1", "1 ", "+1", "0x1", "1.5", "1e-1", "2147483648", "٣", "1e99999999", "--1",
                         "9" * 5000, "1" + "0" * 900 + "e-900", "NaN")
        ),
        ("large", "9223372036854775808", "integer from"),
        ("unsigned_small", "-1", "integer from 0"),
        ("unsigned_large", "18446744073709551616", "integer from 0"),
        *(("ratio", text, "a number") for text in ("", "nan", "inf", "1e999", ".5", "1.", "1_0.0", "0x1p3", "9" * 900)),
        ("short_ratio", "3.5e38", "32-bit float"),
        *(("blob", text, "base64") for text in ("a", "a=bc", "a b=", "****", "ab\n=", "=", "ab=", "====", "é")),
        *(("color", text, "COLOR_UNSPECIFIED, COLOR_RED") for text in ("", "RED", "color_red", "2147483648", "1.0x")),
        ("text", "\ud800", "surrogate"),
    ],
)  # fmt: skip
def test_text_of_another_form_is_refused(name: str, text: str, complaint: str) -> None:
    with pytest.raises(ValueInvalid, match=complaint):
        from_text(field(name), text)


@pytest.mark.parametrize("name", ["flag", "small", "large", "ratio", "short_ratio", "blob", "color"])
def test_a_refusal_does_not_repeat_the_value(name: str) -> None:
    with pytest.raises(ValueInvalid) as caught:
        from_text(field(name), "\x1bsecret!")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", 1), ("text", True), ("text", []), ("text", None), ("flag", "true"), ("flag", 1), ("small", True),
        ("small", 1.5), ("small", []), ("small", {}), ("small", 2**31), ("large", 10**400), ("ratio", True),
        ("ratio", 10**400), ("blob", 1), ("color", True), ("color", 1.5), ("color", {}),
    ],
)  # fmt: skip
def test_json_of_another_type_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValueInvalid, match="must be"):
        from_json(field(name), value)


json_values = (
    st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.integers(-5, 5).map(float)
    | st.integers(-(2**70), 2**70).map(str)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.binary(max_size=8).map(lambda raw: base64.b64encode(raw).decode())
    | st.text(st.characters(codec="utf-8"), max_size=8)
    | st.sampled_from(["NaN", "Infinity", "-Infinity", "COLOR_RED", "1.0", "1e2", "true"])
)


@given(st.sampled_from(["text", "flag", "small", "large", "unsigned_large", "ratio", "blob", "color"]), json_values)
@settings(deadline=None, max_examples=400)
def test_what_is_accepted_is_what_the_reference_reader_reads(name: str, value: object) -> None:
    try:
        accepted = from_json(field(name), value)
    except ValueInvalid:
        return
    reference = json_format.ParseDict({name: value}, everything().message("Everything"))
    ours = everything().message("Everything", **{name: accepted})
    assert ours.SerializeToString(deterministic=True) == reference.SerializeToString(deterministic=True)
