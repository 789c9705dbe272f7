"""From a descriptor to a catalog entity: where its documentation is built from."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from techdocs_server.adapters.catalog.descriptors import Descriptor
from techdocs_server.adapters.catalog.url_source import NoSource, location_url, relative_source, url_source
from techdocs_server.adapters.sources.source_hosts import SourceHosts
from techdocs_server.domain.catalog_entity import TECHDOCS_REF, CatalogEntity, KnownProblem, SourceRef
from techdocs_server.domain.entity import EntityRef

LocalSource = Callable[[str, str], SourceRef]
"""Takes the target of a ``dir:`` annotation and the name of the site."""

_NO_HOSTS = SourceHosts()
LEADS_OUT = KnownProblem(
    "NotAllowedError", *["Relative path is not allowed to refer to a directory outside its parent"] * 2
)
"""What Backstage says of a ``dir:`` that leads out of its entity's folder (backend-plugin-api, resolveSafeChildPath)."""


def has_annotation(descriptor: Descriptor) -> bool:
    """Whether a descriptor says where its documentation is."""
    return annotations_of(descriptor.document).get(TECHDOCS_REF) is not None


def annotations_of(document: Mapping[str, object]) -> Mapping[str, object]:
    """Return the annotations of an entity's document, none when they are not a mapping."""
    annotations = _value(document.get("metadata"), "annotations")
    return annotations if isinstance(annotations, Mapping) else {}


def to_entity(descriptor: Descriptor, *, root: Path, hosts: SourceHosts = _NO_HOSTS) -> CatalogEntity:
    """Return the entity of a descriptor that stands below ``root``, the catalog's resolved folder.

    Looks at the disk to see where links lead. Otherwise as `entity_of`.
    """
    folder = root / Path(descriptor.file).parent

    def beside(target: str, site_name: str) -> SourceRef:
        return folder_source(target, folder=folder, root=root, site_name=site_name)

    return entity_of(descriptor.ref, descriptor.document, local=beside, hosts=hosts)


def entity_of(
    ref: EntityRef, document: Mapping[str, object], *, local: LocalSource, hosts: SourceHosts = _NO_HOSTS
) -> CatalogEntity:
    """Return the entity of a catalog's document, whose metadata must be a mapping.

    ``local`` gives the source of a ``dir:`` annotation whose entity stands in a file,
    and raises `NoSource`; ``hosts`` say how URLs of hosts that are not well known are
    read. Never raises: an entity whose source is not usable says so itself.
    """
    metadata = document["metadata"]
    annotations = annotations_of(document)
    annotation = annotations.get(TECHDOCS_REF)
    title = _text(metadata, "title")
    source: SourceRef | None = None
    problem: NoSource | None = None
    try:
        kind, target = _parsed(annotation, name=_text(metadata, "name"))
        site_name = title or _text(metadata, "name")
        if kind == "url":
            source = url_source(target, site_name=site_name)
        elif base := location_url(annotations):
            source = relative_source(target, base=base, hosts=hosts, site_name=site_name)
        else:
            source = local(target, site_name)
    except NoSource as error:
        problem = error
    return CatalogEntity(
        ref=ref,
        document=_with_location(document, source, problem),
        title=title,
        description=_text(metadata, "description"),
        owner=_text(_value(document, "spec"), "owner"),
        techdocs_ref=annotation if isinstance(annotation, str) else "",
        source=source,
        source_problem="" if problem is None else str(problem),
        known_problem=None if problem is None else problem.known,
    )


def folder_source(target: str, *, folder: Path, root: Path, site_name: str) -> SourceRef:
    """Return the source of ``dir:<target>`` of an entity in a file of ``folder``, which is below the resolved ``root``.

    Looks at the disk to see where links lead. Raises `NoSource`.
    """
    try:
        resolved = Path(os.path.normpath(folder / target)).resolve()
        is_inside = (
            Path(os.path.normpath(folder / target)).is_relative_to(folder)
            and resolved.is_relative_to(folder.resolve())
            and resolved.is_relative_to(root)
        )
    # RuntimeError: a loop of links, up to Python 3.12.
    except (OSError, RuntimeError, ValueError) as error:
        raise NoSource(f"{TECHDOCS_REF} {'dir:' + target!r} names no folder that can be looked up") from error
    if not is_inside:
        raise NoSource(
            f"{TECHDOCS_REF} {'dir:' + target!r} leads out of the folder of the entity's file; "
            "name that folder ('dir:.') or one below it",
            known=LEADS_OUT,
        )
    return SourceRef(
        type="dir", location=str(resolved), display=resolved.relative_to(root).as_posix(), site_name=site_name
    )


def _parsed(annotation: object, *, name: str) -> tuple[str, str]:
    """Return type and target of an annotation ``dir:<target>`` or ``url:<target>``."""
    if annotation is None:
        raise NoSource(
            f"it has no annotation {TECHDOCS_REF}; add the line '{TECHDOCS_REF}: dir:.' to its annotations",
            known=_missing(name),
        )
    if not isinstance(annotation, str):
        raise NoSource(f"{TECHDOCS_REF} must be text like 'dir:.'", known=_missing(name))
    kind, _, target = (part.strip() for part in annotation.partition(":"))
    if not kind or not target:
        raise NoSource(
            f"{TECHDOCS_REF} {annotation!r} is not understood, expected '<type>:<target>' like 'dir:.'",
            known=_not_understood(annotation) if annotation else _missing(name),
        )
    if kind in ("http", "https"):
        raise NoSource(
            f"{TECHDOCS_REF} is a URL without a type, expected '<type>:<target>'; write 'url:' in front of it",
            known=_same("TypeError", "Invalid location ref, please prefix it with 'url:'"),
        )
    if kind not in ("dir", "url"):
        raise NoSource(
            f"{TECHDOCS_REF} has type {kind!r}, which is not supported; "
            "supported are 'dir:<folder>', relative to the entity's file, and 'url:<URL>'",
            known=KnownProblem(
                "Error", f"Invalid reference annotation {kind}", f'No preparer registered for type: "{kind}"'
            ),
        )
    return kind, target


# The words are those of plugin-techdocs-node, helpers and stages/prepare/preparers, and of catalog-model, location/helpers.
def _missing(name: str) -> KnownProblem:
    return _same("InputError", f"No {TECHDOCS_REF} annotation provided in entity: {name}")


def _not_understood(annotation: str) -> KnownProblem:
    return _same(
        "TypeError",
        f"Unable to parse location ref '{annotation}', expected '<type>:<target>', e.g. 'url:https://host/path'",
    )


def _same(name: str, message: str) -> KnownProblem:
    return KnownProblem(name, message, message)


def _with_location(
    document: Mapping[str, object], source: SourceRef | None, problem: NoSource | None
) -> Mapping[str, object]:
    if source is not None:
        return {**document, "locationMetadata": {"type": source.type, "target": source.display}}
    if problem is not None and problem.location:
        kind, target = problem.location
        return {**document, "locationMetadata": {"type": kind, "target": target}}
    return document


def _value(values: object, key: str) -> object:
    return values.get(key) if isinstance(values, Mapping) else None


def _text(values: object, key: str) -> str:
    value = _value(values, key)
    return value if isinstance(value, str) else ""
