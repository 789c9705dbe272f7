"""Entities, revisions and builds to put into records."""

from __future__ import annotations

import hashlib
from datetime import datetime

from techdocs_server.domain.build import Build, BuildEvent, LogLine, Severity
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.site import Revision, SitePointer
from techdocs_server.ports.records import SiteRecords

from tests.support.clocks import NOON


def entity(name: str, *, namespace: str = "default", kind: str = "component") -> EntityRef:
    """Return a reference."""
    return EntityRef.of(namespace=namespace, kind=kind, name=name)


def revision(of: EntityRef, label: str, *, create_time: datetime = NOON, site_name: str = "Docs") -> Revision:
    """Return a revision whose id is made from a label."""
    return Revision(
        entity=of,
        revision=hashlib.sha256(label.encode()).hexdigest(),
        create_time=create_time,
        manifest_bytes=321,
        file_count=7,
        size_bytes=5_000_000_000,
        build=f"builds/{label}",
        source_etag=f"source-{label}",
        site_name=site_name,
        site_description="Größe: 日本語",
    )


async def published(
    records: SiteRecords,
    made: Revision,
    *,
    expected: SitePointer | None = None,
    now: datetime = NOON,
) -> SitePointer:
    """Add a revision and move the pointer to it."""
    await records.add_revision(made)
    return await records.move_pointer(
        made.entity, to=made.revision, source_etag=made.source_etag, expected=expected, now=now
    )


def queued(of: EntityRef, *, now: datetime = NOON, request_id: str | None = None) -> Build:
    """Return a new build."""
    return Build.queued(of, now=now, force=False, request_id=request_id)


def log_event(sequence: int, text: str = "INFO - Building", *, event_time: datetime = NOON) -> BuildEvent:
    """Return a line of log as an event."""
    return BuildEvent(sequence, event_time, LogLine(Severity.INFO, text))
