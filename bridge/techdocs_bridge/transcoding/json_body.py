"""JSON bodies, read by the rules of ProtoJSON with every fault named by its path.

Structure is walked here, so that one answer can name all unknown fields and
wrong types; values are read by `scalars` and `well_known`.
"""

from __future__ import annotations

import json
import math
from typing import NoReturn

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from techdocs_bridge.transcoding.fields import descriptor_of, fields_by_any_name, is_map, is_output_only
from techdocs_bridge.transcoding.scalars import Scalar, ValueInvalid, from_json, from_text
from techdocs_bridge.transcoding.violations import Violations, did_you_mean, shown
from techdocs_bridge.transcoding.well_known import VALUE, is_well_known, set_json

BODY = "body"
"""The field that faults of a body as a whole are reported under."""
MAX_JSON_BYTES = 1024 * 1024
# Far deeper than any message of the contract.
MAX_DEPTH = 32


def parse_json(body: bytes) -> object:
    """Parse a body; empty is ``{}``.

    Raises `ValueInvalid` when it is larger than `MAX_JSON_BYTES`, is not UTF-8, is
    not JSON (NaN and Infinity are not), nests too deeply, or gives a key twice.
    """
    if len(body) > MAX_JSON_BYTES:
        raise ValueInvalid(f"must not be larger than {MAX_JSON_BYTES} bytes")
    if not body.strip():
        return {}
    try:
        return json.loads(
            body.decode("utf-8"), object_pairs_hook=_object, parse_float=_float, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError:
        raise ValueInvalid("must be UTF-8") from None
    except RecursionError:
        raise ValueInvalid("is nested too deeply") from None
    except ValueInvalid:
        raise
    except json.JSONDecodeError as error:
        raise ValueInvalid(f"is not JSON: line {error.lineno}, column {error.colno}") from None
    except ValueError:
        # Python reads no integer of more than 4300 digits.
        raise ValueInvalid("has a number that is too long") from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise ValueInvalid(f"gives the key {shown(name)} twice in one object")
        found[name] = value
    return found


def _float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueInvalid("has a number that is too large")
    return number


def _refuse_constant(_: str) -> NoReturn:
    raise ValueInvalid("is not JSON: NaN and Infinity must be strings")


class BodyReader:
    """Merges parsed JSON into messages, noting every fault and leaving its field unset.

    `bound` are the fields that the path fills already, by path in the contract's
    spelling; a body that gives one of them again is refused.
    """

    def __init__(self, violations: Violations, *, bound: frozenset[str] = frozenset()) -> None:
        self._violations = violations
        self._bound = bound

    def read_message(
        self, message: Message, value: object, *, path: str = "", proto_path: str = "", depth: int = 0
    ) -> None:
        """Merge a JSON value into a message.

        `path` is how the sender spelt the way to it, `proto_path` how the contract
        does. Below a list or map they are the same: no path variable leads there.
        """
        if is_well_known(descriptor_of(message)):
            try:
                set_json(message, value)
            except ValueInvalid as error:
                self._violations.add(path, str(error))
        elif not isinstance(value, dict):
            self._violations.add(path or BODY, "must be an object")
        elif depth >= MAX_DEPTH:
            self._violations.add(path, "is nested too deeply")
        else:
            self._read_members(message, value, path=path, proto_path=proto_path, depth=depth)

    def _read_members(
        self, message: Message, members: dict[str, object], *, path: str, proto_path: str, depth: int
    ) -> None:
        fields = fields_by_any_name(descriptor_of(message))
        seen: set[str] = set()
        for name, value in members.items():
            at = f"{path}.{name}" if path else name
            field = fields.get(name)
            if field is None:
                self._violations.add(at, f"is not a field here{did_you_mean(name, fields)}")
                continue
            own_path = f"{proto_path}.{field.name}" if proto_path else field.name
            if field.name in seen:
                self._violations.add(at, f"is given twice, as {field.name} and as {field.json_name}")
            elif value is not None or _takes_null(field):
                self.read_field(message, field, value, path=at, proto_path=own_path, depth=depth)
            seen.add(field.name)

    def read_field(
        self, message: Message, field: FieldDescriptor, value: object, *, path: str, proto_path: str, depth: int = 0
    ) -> None:
        """Merge a JSON value into one field of a message."""
        if is_output_only(field):
            self._violations.add(path, "is set by the server only")
        elif proto_path in self._bound:
            self._violations.add(path, "is given by the path already")
        elif (other := _other_member(message, field)) is not None:
            self._violations.add(path, f"excludes {other}, which is given too")
        elif is_map(field):
            self._read_map(message, field, value, path=path, depth=depth)
        elif field.is_repeated:
            self._read_list(message, field, value, path=path, depth=depth)
        elif field.message_type is not None:
            child: Message = getattr(message, field.name)
            child.SetInParent()
            self.read_message(child, value, path=path, proto_path=proto_path, depth=depth + 1)
        elif (scalar := self._scalar(field, value, path)) is not None:
            setattr(message, field.name, scalar)

    def _read_list(self, message: Message, field: FieldDescriptor, value: object, *, path: str, depth: int) -> None:
        if not isinstance(value, list):
            self._violations.add(path, "must be an array")
            return
        items = getattr(message, field.name)
        for index, item in enumerate(value):
            at = f"{path}[{index}]"
            if item is None and not _takes_null(field):
                self._violations.add(at, "must not be null")
            elif field.message_type is not None:
                self.read_message(items.add(), item, path=at, proto_path=at, depth=depth + 1)
            elif (scalar := self._scalar(field, item, at)) is not None:
                items.append(scalar)

    def _read_map(self, message: Message, field: FieldDescriptor, value: object, *, path: str, depth: int) -> None:
        if not isinstance(value, dict) or field.message_type is None:
            self._violations.add(path, "must be an object")
            return
        entry = field.message_type.fields_by_name
        entries = getattr(message, field.name)
        for name, item in value.items():
            at = f"{path}[{name}]"
            try:
                key = from_text(entry["key"], name)
            except ValueInvalid as error:
                self._violations.add(at, f"has a key that {error}")
                continue
            if entry["value"].message_type is not None:
                self.read_message(entries[key], item, path=at, proto_path=at, depth=depth + 1)
            elif (scalar := self._scalar(entry["value"], item, at)) is not None:
                entries[key] = scalar

    def _scalar(self, field: FieldDescriptor, value: object, path: str) -> Scalar | None:
        try:
            return from_json(field, value)
        except ValueInvalid as error:
            self._violations.add(path, str(error))
            return None


def _takes_null(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.full_name == VALUE


def _other_member(message: Message, field: FieldDescriptor) -> str | None:
    """Return the member of the field's oneof that is set already, when it is another one."""
    if field.containing_oneof is None:
        return None
    member = message.WhichOneof(field.containing_oneof.name)
    return member if member != field.name else None
