"""What snapshots are called, and which of a site's snapshots counts.

``<namespace>/<kind>/<name>/<version>-<change>.json``, both numbers of 12 digits, so that names sort as
the states do. No name is ever given to two states, and nothing is overwritten: two
processes that save a site at once cannot undo one another, and the highest name counts.
A change that leaves the version as it is, a pin say, has a higher number of its change. That is the database's
count and not a time: clocks of two machines differ.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.site_snapshot import SiteSnapshot, SnapshotInvalid, SnapshotKey
from techdocs_server.ports.site_snapshots import KEPT_SNAPSHOTS, FoundSnapshot

_NAME = re.compile(r"([0-9]{12})-([0-9]{12})\.json")

Keys = dict[EntityRef, list[SnapshotKey]]


def folder_of(entity: EntityRef) -> str:
    """Return the folder of a site's snapshots."""
    return f"{entity.namespace}/{entity.kind}/{entity.name}"


def name_of(key: SnapshotKey) -> str:
    """Return the name of a snapshot in the folder of its site."""
    return f"{key.version:012d}-{key.change:012d}.json"


def path_of(entity: EntityRef, key: SnapshotKey) -> str:
    """Return folder and name of a snapshot."""
    return f"{folder_of(entity)}/{name_of(key)}"


def keys_of(paths: Iterable[str]) -> Keys:
    """Return the snapshots among paths, by their sites; what is none is left out."""
    keys: Keys = {}
    for path in paths:
        *folder, name = path.split("/")
        match = _NAME.fullmatch(name)
        if match is None or len(folder) != 3:
            continue
        try:
            entity = EntityRef.of(namespace=folder[0], kind=folder[1], name=folder[2])
        except ValueError:
            continue
        if folder_of(entity) == "/".join(folder):
            keys.setdefault(entity, []).append(SnapshotKey(int(match[1]), int(match[2])))
    return keys


def pruned(keys: Iterable[SnapshotKey]) -> list[SnapshotKey]:
    """Return those that are not kept."""
    return sorted(keys, reverse=True)[KEPT_SNAPSHOTS:]


async def newest_of(
    keys: Keys, read: Callable[[EntityRef, SnapshotKey], Awaitable[bytes | None]]
) -> AsyncIterator[FoundSnapshot]:
    """Yield what `SiteSnapshots.newest` does; ``read`` returns None for what is gone."""
    for entity in sorted(keys):
        yield await _newest(entity, sorted(keys[entity], reverse=True), read)


async def _newest(
    entity: EntityRef, keys: list[SnapshotKey], read: Callable[[EntityRef, SnapshotKey], Awaitable[bytes | None]]
) -> FoundSnapshot:
    problems: list[str] = []
    for key in keys:
        try:
            content = await read(entity, key)
            if content is None:
                raise SnapshotInvalid("it is gone")
            snapshot = SiteSnapshot.parse(content, entity=entity, key=key)
        except SnapshotInvalid as error:
            problems.append(f"{name_of(key)}: {error}")
            continue
        return FoundSnapshot(entity, snapshot, keys[0].version, tuple(problems))
    return FoundSnapshot(entity, None, keys[0].version, tuple(problems))
