"""What the store of contents knows of a site, so that the records can be made again from it.

Stored snapshots are read by every later version of this service: keys may be
added, if reading does without them, and never change their meaning.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.site import Revision, SitePointer

MOST_REVISIONS = 200
"""How many revisions a snapshot has, the newest and those that are pinned first: about 100 KB."""

_FORMAT = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")


class SnapshotInvalid(ValueError):
    """Bytes that are not a snapshot, or not the one expected. The message says why."""


@dataclass(frozen=True, slots=True, order=True)
class SnapshotKey:
    """Which state of a site a snapshot is of; the greater is the newer.

    ``version`` is the pointer's, which goes on when the records are made again. ``change`` is the
    sequence of the site's newest change: pins and deletions leave the version as it is.
    """

    version: int
    change: int


@dataclass(frozen=True, slots=True)
class SiteSnapshot:
    """A site at one time. One without a pointer was deleted; it has no times and no revisions then.

    ``revisions`` are those that readers see, that of the pointer among them.
    """

    entity: EntityRef
    key: SnapshotKey
    pointer: SitePointer | None
    create_time: datetime | None
    update_time: datetime | None
    revisions: Sequence[Revision]

    def to_json(self) -> bytes:
        """Return the bytes that are stored. The same snapshot always has the same."""
        site = _canonical(_site_to_json(self))
        # Without it, one bit that flips in a number would go unnoticed.
        return _canonical({"format": _FORMAT, "sha256": hashlib.sha256(site).hexdigest(), "site": json.loads(site)})

    @classmethod
    def parse(cls, content: bytes, *, entity: EntityRef, key: SnapshotKey) -> SiteSnapshot:
        """Read what is stored under an entity and a key. Raises `SnapshotInvalid`, never anything else."""
        try:
            document = json.loads(content)
            if document["format"] != _FORMAT:
                raise SnapshotInvalid(f"its format is {document['format']!r} and not {_FORMAT}")
            if hashlib.sha256(_canonical(document["site"])).hexdigest() != document["sha256"]:
                raise SnapshotInvalid("it is damaged")
            snapshot = _site_from_json(document["site"])
        except SnapshotInvalid:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise SnapshotInvalid("it is not a snapshot") from error
        if (snapshot.entity, snapshot.key) != (entity, key):
            raise SnapshotInvalid("it is the snapshot of something else")
        return snapshot


def _canonical(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()


def _site_to_json(snapshot: SiteSnapshot) -> dict[str, object]:
    pointer, entity = snapshot.pointer, snapshot.entity
    return {
        "entity": [entity.namespace, entity.kind, entity.name],
        "version": snapshot.key.version,
        "change": snapshot.key.change,
        "revision": None if pointer is None else pointer.revision,
        "source_etag": None if pointer is None else pointer.source_etag,
        "create_time": _time_to_json(snapshot.create_time),
        "update_time": _time_to_json(snapshot.update_time),
        "revisions": [_revision_to_json(revision) for revision in snapshot.revisions],
    }


def _site_from_json(document: Any) -> SiteSnapshot:
    namespace, kind, name = document["entity"]
    entity = EntityRef.of(namespace=namespace, kind=kind, name=name)
    key = SnapshotKey(_number(document["version"]), _number(document["change"]))
    revisions = tuple(_revision_from_json(entity, revision) for revision in document["revisions"])
    if document["revision"] is None:
        return SiteSnapshot(entity, key, None, None, None, ())
    current = next((each for each in revisions if each.revision == document["revision"]), None)
    if current is None:
        raise SnapshotInvalid("its current revision is not among its revisions")
    pointer = SitePointer(current.revision, key.version, _text(document["source_etag"]), current.manifest_bytes)
    create_time, update_time = _time(document["create_time"]), _time(document["update_time"])
    return SiteSnapshot(entity, key, pointer, create_time, update_time, revisions)


def _revision_to_json(revision: Revision) -> dict[str, object]:
    return {
        "revision": revision.revision,
        "create_time": _time_to_json(revision.create_time),
        "manifest_bytes": revision.manifest_bytes,
        "file_count": revision.file_count,
        "size_bytes": revision.size_bytes,
        "build": revision.build,
        "source_etag": revision.source_etag,
        "site_name": revision.site_name,
        "site_description": revision.site_description,
        "is_pinned": revision.is_pinned,
    }


def _revision_from_json(entity: EntityRef, document: Any) -> Revision:
    if not _SHA256.fullmatch(document["revision"]):
        raise SnapshotInvalid("a revision has no SHA-256")
    return Revision(
        entity=entity,
        revision=document["revision"],
        create_time=_time(document["create_time"]),
        manifest_bytes=_number(document["manifest_bytes"]),
        file_count=_number(document["file_count"]),
        size_bytes=_number(document["size_bytes"]),
        build=_text(document["build"]),
        source_etag=_text(document["source_etag"]),
        site_name=_text(document["site_name"]),
        site_description=_text(document["site_description"]),
        is_pinned=document["is_pinned"] is True,
    )


def _time_to_json(time: datetime | None) -> str | None:
    return None if time is None else time.astimezone(UTC).isoformat()


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise SnapshotInvalid("a time has no zone")
    return time


def _number(value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise SnapshotInvalid("a number is none")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise SnapshotInvalid("a text is none")
    return value
