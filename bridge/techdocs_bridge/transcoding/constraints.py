"""The contract's rules of values (buf.validate) as keywords of JSON Schema.

Only rules that JSON Schema can say, or can say a little too generously, are
translated; the server checks all of them whatever the document says.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from buf.validate import validate_pb2
from google.protobuf.descriptor import FieldDescriptor

JSONValue: TypeAlias = "JSONObject | list[JSONValue] | str | int | float | bool | None"
JSONObject: TypeAlias = "dict[str, JSONValue]"

_NUMERIC_RULES = frozenset({"float", "double", "int32", "int64", "uint32", "uint64", "sint32", "sint64"})
_BOUNDS = (("gte", "minimum"), ("gt", "exclusiveMinimum"), ("lte", "maximum"), ("lt", "exclusiveMaximum"))
_FORMATS = {
    "uuid": "uuid", "email": "email", "hostname": "hostname", "uri": "uri", "uri_ref": "uri-reference",
    "ipv4": "ipv4", "ipv6": "ipv6",
}  # fmt: skip


def rules_of(field: FieldDescriptor) -> validate_pb2.FieldRules:
    """Return the rules of a field, empty when it has none."""
    return field.GetOptions().Extensions[validate_pb2.field]


def value_keywords(rules: validate_pb2.FieldRules, *, empty_is_unset: bool) -> JSONObject:
    """Return the keywords for one value, be it a field's own or an item's.

    `empty_is_unset` says that an empty string may stand for "not given", which a
    rule that ignores zero values then lets pass.
    """
    kind = rules.WhichOneof("type")
    if kind == "string":
        lets_empty_pass = empty_is_unset and rules.ignore == validate_pb2.IGNORE_IF_ZERO_VALUE
        return _string_keywords(rules.string, lets_empty_pass=lets_empty_pass)
    if kind in _NUMERIC_RULES:
        numbers = getattr(rules, kind)
        return {keyword: getattr(numbers, rule) for rule, keyword in _BOUNDS if numbers.HasField(rule)}
    return {}


def list_keywords(rules: validate_pb2.FieldRules) -> JSONObject:
    """Return the keywords for a repeated field's array; those of its items come from ``rules.repeated.items``."""
    repeated = rules.repeated
    keywords: JSONObject = {}
    if repeated.HasField("min_items"):
        keywords["minItems"] = repeated.min_items
    if repeated.HasField("max_items"):
        keywords["maxItems"] = repeated.max_items
    if repeated.unique:
        keywords["uniqueItems"] = True
    return keywords


def allowed_names(rules: validate_pb2.FieldRules, names_by_number: Iterable[tuple[int, str]]) -> list[JSONValue]:
    """Return the names of an enum's values that its rules allow."""
    enum = rules.enum
    only = {*getattr(enum, "in")}
    return [name for number, name in names_by_number if number not in enum.not_in and (not only or number in only)]


def _string_keywords(rules: validate_pb2.StringRules, *, lets_empty_pass: bool) -> JSONObject:
    keywords: JSONObject = {}
    if rules.HasField("min_len") and not lets_empty_pass:
        keywords["minLength"] = rules.min_len
    # A text of n bytes has at most n characters.
    longest = [limit for rule in ("max_len", "max_bytes") if rules.HasField(rule) for limit in [getattr(rules, rule)]]
    if longest:
        keywords["maxLength"] = min(longest)
    if rules.HasField("pattern"):
        keywords["pattern"] = f"^$|{rules.pattern}" if lets_empty_pass else rules.pattern
    well_known = rules.WhichOneof("well_known")
    if well_known in _FORMATS:
        keywords["format"] = _FORMATS[well_known]
    allowed: list[JSONValue] = list(getattr(rules, "in"))
    if allowed:
        keywords["enum"] = allowed
    return keywords
