"""Backstage's descriptor files: text in, entities and locations and problems out.

The format is Backstage's (backstage.io/docs/features/software-catalog/descriptor-format).
Nothing here touches the disk.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from techdocs_server.adapters.catalog.yaml_documents import Unreadable, read_documents
from techdocs_server.domain.entity import DEFAULT_NAMESPACE, EntityRef

# One file must not flood the log.
_MAX_PROBLEMS = 20
_LOCATIONS = ("backstage.io/managed-by-location", "backstage.io/managed-by-origin-location")


@dataclass(frozen=True, slots=True)
class CatalogProblem:
    """Something wrong with a descriptor file.

    ``file`` is relative to the catalog, ``line`` counts from 1 and is 0 for the
    file as a whole. ``hides_entities`` when the broken part may be meant to be an
    entity that somebody asks for.
    """

    file: str
    line: int
    message: str
    hides_entities: bool = False

    def __str__(self) -> str:
        return f"{self.file} line {self.line}: {self.message}" if self.line else f"{self.file}: {self.message}"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A valid entity: its document as the API shows it, and where it stands."""

    ref: EntityRef
    document: Mapping[str, object]
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class LocationTarget:
    """A file that a Location entity names, as written there."""

    target: str
    line: int


@dataclass(frozen=True, slots=True)
class DescriptorFile:
    """Everything one file holds."""

    descriptors: tuple[Descriptor, ...] = ()
    targets: tuple[LocationTarget, ...] = ()
    problems: tuple[CatalogProblem, ...] = ()


def parse_descriptors(text: str, *, file: str) -> DescriptorFile:
    """Read a file. Never raises for what it holds: a broken document is a problem, the others stay."""
    descriptors: list[Descriptor] = []
    targets: list[LocationTarget] = []
    problems: list[CatalogProblem] = []
    for document in read_documents(text):
        if isinstance(document, Unreadable):
            problems.append(CatalogProblem(file, document.line, document.message, hides_entities=True))
        elif document.value is not None:
            try:
                descriptor = _descriptor(document.value, file=file, line=document.line)
            except ValueError as error:
                message = f"not an entity: {error}"
                problems.append(CatalogProblem(file, document.line, message, hides_entities=True))
                continue
            descriptors.append(descriptor)
            found, wrong = _targets(descriptor)
            targets += found
            problems += wrong
    return DescriptorFile(tuple(descriptors), tuple(targets), tuple(_bounded(problems, file)))


def _descriptor(value: object, *, file: str, line: int) -> Descriptor:
    document = _mapping(value, "the document")
    metadata = _mapping(document.get("metadata"), "metadata")
    _text(document, "apiVersion", "apiVersion")
    ref = EntityRef.of(
        namespace=_text(metadata, "namespace", "metadata.namespace", default=DEFAULT_NAMESPACE),
        kind=_text(document, "kind", "kind"),
        name=_text(metadata, "name", "metadata.name"),
    )
    annotations = metadata.get("annotations")
    location = f"file:./{file}"
    filled = {
        **metadata,
        "namespace": metadata.get("namespace") or DEFAULT_NAMESPACE,
        "uid": metadata.get("uid") or str(uuid.uuid5(uuid.NAMESPACE_URL, f"backstage:{ref}")),
        "annotations": {
            **dict.fromkeys(_LOCATIONS, location),
            **(_mapping(annotations, "metadata.annotations") if annotations is not None else {}),
        },
    }
    return Descriptor(ref, {**document, "metadata": filled}, file, line)


def _targets(descriptor: Descriptor) -> tuple[list[LocationTarget], list[CatalogProblem]]:
    """Return the files that an entity of kind Location names, and what is wrong with it as such."""
    spec = descriptor.document.get("spec")
    if descriptor.ref.kind != "location" or not isinstance(spec, Mapping):
        return [], []
    kind = spec.get("type", "file")
    if kind != "file":
        message = f"locations of type {kind!r} are not supported, only 'file' is"
        return [], [CatalogProblem(descriptor.file, descriptor.line, message)]
    several = spec.get("targets")
    named = [spec.get("target"), *(several if isinstance(several, list) else [several])]
    return [LocationTarget(target, descriptor.line) for target in named if isinstance(target, str)], []


def _mapping(value: object, what: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{what} must be a mapping of keys to values")
    return value


def _text(values: Mapping[str, object], key: str, what: str, *, default: str | None = None) -> str:
    value = values.get(key)
    if value is None and default is not None:
        return default
    if value is None:
        raise ValueError(f"{what} is missing")
    if not isinstance(value, str):
        raise ValueError(f"{what} must be text; put {value!r} in quotes")
    return value


def _bounded(problems: list[CatalogProblem], file: str) -> Iterator[CatalogProblem]:
    yield from islice(problems, _MAX_PROBLEMS)
    rest = problems[_MAX_PROBLEMS:]
    if rest:
        hides = any(problem.hides_entities for problem in rest)
        yield CatalogProblem(file, rest[0].line, f"and {len(rest)} more problems from here", hides_entities=hides)
