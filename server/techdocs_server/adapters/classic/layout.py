"""Names of objects in the classic layout."""

from __future__ import annotations

from collections.abc import Iterable

from techdocs_server.domain.entity import EntityRef
from techdocs_server.ports.classic import ClassicInventory


def folder_of(entity: EntityRef) -> str:
    """Return what the names of an entity's files begin with, in lower case."""
    return f"{entity.namespace}/{entity.kind}/{entity.name}/"


def inventory_of(folders: Iterable[str], others: Iterable[str], *, case_preserved: bool) -> ClassicInventory:
    """Tell the folders of entities from others.

    Folders are three levels deep and end in a slash; ``others`` are objects that are in
    none. Of folders that differ by case only the one that `CasedFolders` finds is the entity's.
    """
    entities: set[EntityRef] = set()
    unmanaged = list(others)
    for folder in sorted(folders, key=_as_found):
        entity = _entity_at(*folder[:-1].split("/"))
        if entity is None or entity in entities or (not case_preserved and folder != folder_of(entity)):
            unmanaged.append(folder)
        else:
            entities.add(entity)
    return ClassicInventory(sorted(entities), sorted(unmanaged))


def by_case(name: str) -> tuple[bool, str]:
    """Sort names that differ by case only: the one in lower case first, then by code points."""
    return name != name.lower(), name


def _as_found(folder: str) -> list[tuple[bool, str]]:
    return [by_case(name) for name in folder.split("/")]


def _entity_at(namespace: str, kind: str, name: str) -> EntityRef | None:
    try:
        return EntityRef.of(namespace=namespace, kind=kind, name=name) if namespace else None
    except ValueError:
        return None
