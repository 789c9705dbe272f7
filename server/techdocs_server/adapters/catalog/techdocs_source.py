"""From a descriptor to a catalog entity: where its documentation is built from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from techdocs_server.adapters.catalog.descriptors import Descriptor
from techdocs_server.adapters.catalog.url_source import NoSource, location_url, relative_source, url_source
from techdocs_server.adapters.sources.source_hosts import SourceHosts
from techdocs_server.domain.catalog_entity import TECHDOCS_REF, CatalogEntity, SourceRef

_NO_HOSTS = SourceHosts()


def has_annotation(descriptor: Descriptor) -> bool:
    """Whether a descriptor says where its documentation is."""
    return _value(_value(descriptor.document["metadata"], "annotations"), TECHDOCS_REF) is not None


def to_entity(descriptor: Descriptor, *, root: Path, hosts: SourceHosts = _NO_HOSTS) -> CatalogEntity:
    """Return the entity of a descriptor that stands below ``root``, the catalog's resolved folder.

    ``hosts`` say how URLs of hosts that are not well known are read. Looks at the
    disk to see where links lead. Never raises: an entity whose source is not usable
    says so itself.
    """
    metadata = descriptor.document["metadata"]
    spec = descriptor.document.get("spec")
    annotations = _value(metadata, "annotations")
    annotation = _value(annotations, TECHDOCS_REF)
    title = _text(metadata, "title")
    source: SourceRef | None = None
    problem = ""
    try:
        kind, target = _parsed(annotation)
        site_name = title or _text(metadata, "name")
        if kind == "url":
            source = url_source(target, site_name=site_name)
        elif base := location_url(annotations if isinstance(annotations, Mapping) else {}):
            source = relative_source(target, base=base, hosts=hosts, site_name=site_name)
        else:
            folder = root / Path(descriptor.file).parent
            source = _folder(target, folder=folder, root=root, site_name=site_name)
    except NoSource as error:
        problem = str(error)
    return CatalogEntity(
        ref=descriptor.ref,
        document=_with_location(descriptor.document, source),
        title=title,
        description=_text(metadata, "description"),
        owner=_text(spec, "owner"),
        techdocs_ref=annotation if isinstance(annotation, str) else "",
        source=source,
        source_problem=problem,
    )


def _folder(target: str, *, folder: Path, root: Path, site_name: str) -> SourceRef:
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
            "name that folder ('dir:.') or one below it"
        )
    return SourceRef(
        type="dir", location=str(resolved), display=resolved.relative_to(root).as_posix(), site_name=site_name
    )


def _parsed(annotation: object) -> tuple[str, str]:
    """Return type and target of an annotation ``dir:<target>`` or ``url:<target>``."""
    if annotation is None:
        raise NoSource(f"it has no annotation {TECHDOCS_REF}; add the line '{TECHDOCS_REF}: dir:.' to its annotations")
    if not isinstance(annotation, str):
        raise NoSource(f"{TECHDOCS_REF} must be text like 'dir:.'")
    kind, _, target = (part.strip() for part in annotation.partition(":"))
    if not kind or not target:
        raise NoSource(f"{TECHDOCS_REF} {annotation!r} is not understood, expected '<type>:<target>' like 'dir:.'")
    if kind in ("http", "https"):
        raise NoSource(
            f"{TECHDOCS_REF} is a URL without a type, expected '<type>:<target>'; write 'url:' in front of it"
        )
    if kind not in ("dir", "url"):
        raise NoSource(
            f"{TECHDOCS_REF} has type {kind!r}, which is not supported; "
            "supported are 'dir:<folder>', relative to the entity's file, and 'url:<URL>'"
        )
    return kind, target


def _with_location(document: Mapping[str, object], source: SourceRef | None) -> Mapping[str, object]:
    if source is None:
        return document
    return {**document, "locationMetadata": {"type": source.type, "target": source.display}}


def _value(values: object, key: str) -> object:
    return values.get(key) if isinstance(values, Mapping) else None


def _text(values: object, key: str) -> str:
    value = _value(values, key)
    return value if isinstance(value, str) else ""
