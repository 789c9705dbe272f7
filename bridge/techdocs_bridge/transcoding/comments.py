"""What the contract says about its own parts: the comments of the .proto files.

Compiled modules have lost them; the descriptor set beside them has kept them.
"""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Self

from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet

_Path = tuple[int, ...]
# Field numbers of descriptor.proto, of which the paths in SourceCodeInfo are made.
_FILE_MESSAGE, _FILE_ENUM, _FILE_SERVICE = 4, 5, 6
_MESSAGE_FIELD, _MESSAGE_MESSAGE, _MESSAGE_ENUM = 2, 3, 4
_ENUM_VALUE = _SERVICE_METHOD = 2
_SENTENCE = re.compile(r"(.+?)[.](?:\s|$)", re.DOTALL)


class Comments:
    """Comments by full name. An enum value is found under its enum: ``techdocs.v1.BuildState.BUILD_STATE_QUEUED``."""

    def __init__(self, by_name: Mapping[str, str]) -> None:
        self._by_name = dict(by_name)

    @classmethod
    def of_files(cls, files: Iterable[FileDescriptorProto]) -> Self:
        """Collect the leading comments of files that have their source code info."""
        return cls({name: text for file in files for name, text in _commented(file)})

    @classmethod
    @cache
    def of_contract(cls) -> Self:
        """Return the comments of the TechDocs contract."""
        image = (importlib.resources.files("techdocs") / "descriptors.binpb").read_bytes()
        return cls.of_files(FileDescriptorSet.FromString(image).file)

    def text(self, full_name: str) -> str:
        """Return the comment of a thing as it stands, without comment marks; empty when it has none."""
        return self._by_name.get(full_name, "")

    def summary(self, full_name: str) -> str:
        """Return the first sentence of the comment on one line, without its full stop."""
        sentence = _SENTENCE.match(self.text(full_name))
        return " ".join((sentence[1] if sentence else self.text(full_name)).split())


def _commented(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    names = dict(_names(file))
    for location in file.source_code_info.location:
        name = names.get(tuple(location.path))
        if name and location.leading_comments:
            lines = (line.removeprefix(" ").rstrip() for line in location.leading_comments.splitlines())
            yield name, "\n".join(lines).strip()


def _names(file: FileDescriptorProto) -> Iterator[tuple[_Path, str]]:
    prefix = f"{file.package}." if file.package else ""
    for at, message in enumerate(file.message_type):
        yield from _message_names(message, (_FILE_MESSAGE, at), prefix)
    for at, enum in enumerate(file.enum_type):
        yield from _enum_names(enum, (_FILE_ENUM, at), prefix)
    for at, service in enumerate(file.service):
        yield (_FILE_SERVICE, at), prefix + service.name
        for index, method in enumerate(service.method):
            yield (_FILE_SERVICE, at, _SERVICE_METHOD, index), f"{prefix}{service.name}.{method.name}"


def _message_names(message: DescriptorProto, path: _Path, prefix: str) -> Iterator[tuple[_Path, str]]:
    name = prefix + message.name
    yield path, name
    for at, field in enumerate(message.field):
        yield (*path, _MESSAGE_FIELD, at), f"{name}.{field.name}"
    for at, nested in enumerate(message.nested_type):
        yield from _message_names(nested, (*path, _MESSAGE_MESSAGE, at), f"{name}.")
    for at, enum in enumerate(message.enum_type):
        yield from _enum_names(enum, (*path, _MESSAGE_ENUM, at), f"{name}.")


def _enum_names(enum: EnumDescriptorProto, path: _Path, prefix: str) -> Iterator[tuple[_Path, str]]:
    name = prefix + enum.name
    yield path, name
    for at, value in enumerate(enum.value):
        yield (*path, _ENUM_VALUE, at), f"{name}.{value.name}"
