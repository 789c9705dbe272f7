"""Single values: from path and query text, and from JSON, to what a field holds.

The accepted forms are those of ProtoJSON (https://protobuf.dev/programming-guides/json),
without the leniency of Python's own number and base64 readers: underscores in
numbers, stray characters in base64 and the like are refused.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

Scalar = str | bytes | int | float | bool

_INTEGER = re.compile(r"-?[0-9]{1,20}")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SPECIAL_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_FLOAT_MAX = float.fromhex("0x1.fffffep+127")
# Longest text that can be an in-range number: enough for a double with all its 767 digits.
_MAX_NUMBER_LENGTH = 800
_MAX_LISTED_NAMES = 20


class ValueInvalid(ValueError):
    """A value does not fit its field; the message says what the field must be and never quotes the value."""


def from_text(field: FieldDescriptor, text: str) -> Scalar:
    """Return the value of a path variable or query parameter. Raises `ValueInvalid`."""
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        if text not in ("true", "false"):
            raise ValueInvalid("must be true or false")
        return text == "true"
    return _FROM_STRING[field.cpp_type](field, text)


def from_json(field: FieldDescriptor, value: object) -> Scalar:
    """Return the value of a field in a JSON body. Raises `ValueInvalid`.

    Numbers and enums may be given as strings, as ProtoJSON allows; booleans may not.
    """
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        if not isinstance(value, bool):
            raise ValueInvalid("must be true or false, without quotes")
        return value
    if isinstance(value, str):
        return _FROM_STRING[field.cpp_type](field, value)
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        raise ValueInvalid("must be a string")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueInvalid(_expected(field))
    if field.cpp_type in _FLOAT_LIMITS:
        return _checked_float(field, float(value) if abs(value) <= _DOUBLE_MAX else math.inf)
    if isinstance(value, float) and not value.is_integer():
        raise ValueInvalid(_expected(field))
    return _checked_integer(field, int(value))


def _string(field: FieldDescriptor, text: str) -> Scalar:
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _base64(text)
    if _SURROGATE.search(text):
        raise ValueInvalid("must not have half of a surrogate pair")
    return text


def _base64(text: str) -> bytes:
    """Decode either alphabet, padded or not."""
    digits = text.rstrip("=")
    badly_padded = digits != text and len(text) % 4
    if not _BASE64.fullmatch(text) or badly_padded or len(digits) % 4 == 1:
        raise ValueInvalid("must be base64")
    try:
        return base64.b64decode(digits.replace("-", "+").replace("_", "/") + "=" * (-len(digits) % 4), validate=True)
    except binascii.Error:
        raise ValueInvalid("must be base64") from None


def _integer(field: FieldDescriptor, text: str) -> int:
    if _INTEGER.fullmatch(text):
        return _checked_integer(field, int(text))
    if len(text) <= _MAX_NUMBER_LENGTH and _NUMBER.fullmatch(text):
        # Decimal, because 9007199254740993e0 is an integer that no double holds.
        number = Decimal(text)
        if number.adjusted() < len(str(2**64)) and number == number.to_integral_value():
            return _checked_integer(field, int(number))
    raise ValueInvalid(_expected(field))


def _checked_integer(field: FieldDescriptor, number: int) -> int:
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        return _checked_enum(field, number)
    low, high = _INTEGER_LIMITS[field.cpp_type]
    if not low <= number <= high:
        raise ValueInvalid(_expected(field))
    return number


def _float(field: FieldDescriptor, text: str) -> float:
    if text in _SPECIAL_FLOATS:
        return _SPECIAL_FLOATS[text]
    if len(text) > _MAX_NUMBER_LENGTH or not _NUMBER.fullmatch(text):
        raise ValueInvalid(_expected(field))
    return _checked_float(field, float(text))


def _checked_float(field: FieldDescriptor, number: float) -> float:
    if abs(number) > _FLOAT_LIMITS[field.cpp_type]:
        raise ValueInvalid(_expected(field))
    return number


def _enum(field: FieldDescriptor, text: str) -> int:
    value = _enum_type(field).values_by_name.get(text)
    if value is not None:
        return value.number
    if _INTEGER.fullmatch(text):
        return _checked_enum(field, int(text))
    raise ValueInvalid(_expected(field))


def _checked_enum(field: FieldDescriptor, number: int) -> int:
    """Let an unknown number of an open enum pass: a newer server may know it."""
    enum = _enum_type(field)
    low, high = _INTEGER_LIMITS[FieldDescriptor.CPPTYPE_INT32]
    if not low <= number <= high or (enum.is_closed and number not in enum.values_by_number):
        raise ValueInvalid(_expected(field))
    return number


def _enum_type(field: FieldDescriptor) -> EnumDescriptor:
    if field.enum_type is None:
        raise TypeError(f"{field.name} is not an enum")
    return field.enum_type


def _expected(field: FieldDescriptor) -> str:
    if field.cpp_type in _INTEGER_LIMITS:
        low, high = _INTEGER_LIMITS[field.cpp_type]
        return f"must be an integer from {low} to {high}"
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        names = [value.name for value in _enum_type(field).values]
        listed = ", ".join(names[:_MAX_LISTED_NAMES]) + (", …" if len(names) > _MAX_LISTED_NAMES else "")
        return f"must be one of {listed}"
    return "must be a number" if field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE else "must be a 32-bit float"


_DOUBLE_MAX = float.fromhex("0x1.fffffffffffffp+1023")
_FLOAT_LIMITS: Mapping[int, float] = {
    FieldDescriptor.CPPTYPE_DOUBLE: _DOUBLE_MAX,
    FieldDescriptor.CPPTYPE_FLOAT: _FLOAT_MAX,
}
_INTEGER_LIMITS: Mapping[int, tuple[int, int]] = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_FROM_STRING: Mapping[int, Callable[[FieldDescriptor, str], Scalar]] = {
    FieldDescriptor.CPPTYPE_STRING: _string,
    FieldDescriptor.CPPTYPE_ENUM: _enum,
    **dict.fromkeys(_INTEGER_LIMITS, _integer),
    **dict.fromkeys(_FLOAT_LIMITS, _float),
}
