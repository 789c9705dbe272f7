"""Values of configurations and front matter as JSON: with every type that YAML has, and a text that names them stably."""

from __future__ import annotations

import datetime
import functools
import hashlib
import json
import re
import types
from collections.abc import Mapping
from typing import Any

_TAG = "\x00"
_MAX_PARTS, _MAX_DEPTH = 10_000, 50
Json = Any
"""What json.loads returns."""


class NotPlain(Exception):
    """A value that this module has no form for. The message names its type."""


def encode(value: object) -> Json:
    """Return a value from YAML as JSON, so that `decode` gives it back with its types.

    Raises `NotPlain`, for a value of too many parts too: YAML's aliases make a
    small text a value without end.
    """
    return _Encoder().encode(value, 0)


def has_too_many_parts(value: object) -> bool:
    """Whether a value has more parts than `encode` looks at, once its aliases are followed, or no end."""
    waiting, parts = [(value, 0)], 0
    while waiting:
        item, depth = waiting.pop()
        parts += 1
        if parts > _MAX_PARTS or depth > _MAX_DEPTH:
            return True
        if isinstance(item, dict):
            waiting += [(part, depth + 1) for pair in item.items() for part in pair]
        elif isinstance(item, list | tuple | set):
            waiting += [(part, depth + 1) for part in item]
    return False


class _Encoder:
    def __init__(self) -> None:
        self._parts = 0

    def encode(self, value: object, depth: int) -> Json:
        self._parts += 1
        if self._parts > _MAX_PARTS or depth > _MAX_DEPTH:
            raise NotPlain("value of too many parts")
        kind = type(value)
        if value is None or kind in (bool, int, float, str):
            return value
        if isinstance(value, list) and kind is list:
            return [self.encode(item, depth + 1) for item in value]
        if isinstance(value, dict) and kind is dict:
            return self._mapping(value, depth)
        if isinstance(value, datetime.date) and kind in (datetime.datetime, datetime.date):
            return {_TAG: [kind.__name__, value.isoformat()]}
        raise NotPlain(kind.__qualname__)

    def _mapping(self, value: dict[object, object], depth: int) -> Json:
        items = [(self.encode(key, depth + 1), self.encode(item, depth + 1)) for key, item in value.items()]
        if all(type(key) is str and not key.startswith(_TAG) for key, _ in items):
            return dict(items)
        return {_TAG: ["dict", [list(item) for item in items]]}


def decode(value: Json) -> object:
    """Return what `encode` was given. Raises `ValueError`, `TypeError` or `LookupError` for anything else."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if _TAG not in value:
        return {key: decode(item) for key, item in value.items()}
    kind, content = value[_TAG]
    if kind == "dict":
        return {decode(key): decode(item) for key, item in content}
    return (datetime.datetime if kind == "datetime" else datetime.date).fromisoformat(content)


def digest(*parts: object) -> str:
    """Return the SHA-256 of JSON values, in hexadecimal. The order of keys counts: templates show it."""
    content = json.dumps(parts, separators=(",", ":")).encode()
    return hashlib.sha256(content).hexdigest()


def named(value: object) -> Json:
    """Return JSON that names a value of a configuration, the same in every process. Raises `NotPlain`."""
    if value is None or isinstance(value, bool | int | float | str):
        return [type(value).__name__, value if type(value) in (bool, int, float, str) else str(value)]
    if isinstance(value, Mapping):
        # In its order: Material writes a style for each icon in the order of the option.
        return ["mapping", [[named(key), named(item)] for key, item in value.items()]]
    if isinstance(value, list | tuple):
        return ["list", [named(item) for item in value]]
    if isinstance(value, set | frozenset):
        return ["set", sorted((named(item) for item in value), key=json.dumps)]
    if isinstance(value, datetime.date):
        return [type(value).__name__, value.isoformat()]
    return _named_code(value)


def _named_code(value: object) -> Json:
    if isinstance(value, functools.partial):
        return ["partial", named(value.func), named(value.args), named(value.keywords)]
    if isinstance(value, re.Pattern):
        return ["pattern", value.pattern, value.flags]
    if isinstance(value, type | types.FunctionType | types.BuiltinFunctionType):
        if "<" in value.__qualname__:
            # A function made by a function: what it closed over is not in its name.
            return ["closure", value.__module__, value.__qualname__, [named(cell) for cell in _cells(value)]]
        return ["code", value.__module__, value.__qualname__]
    raise NotPlain(type(value).__qualname__)


def _cells(value: object) -> list[object]:
    cells = getattr(value, "__closure__", None) or ()
    return [cell.cell_contents for cell in cells]
