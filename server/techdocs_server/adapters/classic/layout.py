"""Names of objects in the classic layout."""

from __future__ import annotations

from techdocs_server.domain.entity import EntityRef


def folder_of(entity: EntityRef) -> str:
    """Return what the names of an entity's files begin with, in lower case."""
    return f"{entity.namespace}/{entity.kind}/{entity.name}/"


def entity_at(namespace: str, kind: str, name: str) -> EntityRef | None:
    """Return the entity that three folders name in any letter case, or None when they name none."""
    try:
        return EntityRef.of(namespace=namespace, kind=kind, name=name) if namespace else None
    except ValueError:
        return None
