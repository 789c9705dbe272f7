"""Between messages and values."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from google.api import httpbody_pb2
from google.protobuf import timestamp_pb2
from google.rpc import code_pb2, status_pb2
from techdocs.v1 import builds_pb2, docs_pb2, entity_pb2, sites_pb2

from techdocs_server.domain.build import (
    Build,
    BuildEvent,
    BuildProgress,
    BuildState,
    BuildTrigger,
    LogLine,
    PhaseTime,
    Severity,
)
from techdocs_server.domain.encoding import ContentEncoding
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import FieldInvalid, FieldViolation
from techdocs_server.domain.media_type import media_type
from techdocs_server.domain.site import Revision, Site, SitePointer
from techdocs_server.rpc.status import make_status, status_of
from techdocs_server.services.listing import PageRequest
from techdocs_server.services.reading import AnyContent, LocatedVariant
from techdocs_server.services.syncing import failure_of

_STATES: dict[BuildState, builds_pb2.BuildState.ValueType] = {
    BuildState.QUEUED: builds_pb2.BUILD_STATE_QUEUED,
    BuildState.PREPARING: builds_pb2.BUILD_STATE_PREPARING,
    BuildState.GENERATING: builds_pb2.BUILD_STATE_GENERATING,
    BuildState.PUBLISHING: builds_pb2.BUILD_STATE_PUBLISHING,
    BuildState.SUCCEEDED: builds_pb2.BUILD_STATE_SUCCEEDED,
    BuildState.FAILED: builds_pb2.BUILD_STATE_FAILED,
    BuildState.CANCELLED: builds_pb2.BUILD_STATE_CANCELLED,
}
_STATE_OF = {value: state for state, value in _STATES.items()}
_TRIGGERS: dict[BuildTrigger, builds_pb2.BuildTrigger.ValueType] = {
    BuildTrigger.REQUEST: builds_pb2.BUILD_TRIGGER_REQUEST,
    BuildTrigger.REFRESH: builds_pb2.BUILD_TRIGGER_REFRESH,
}
_SEVERITIES: dict[Severity, builds_pb2.LogSeverity.ValueType] = {
    Severity.DEBUG: builds_pb2.LOG_SEVERITY_DEBUG,
    Severity.INFO: builds_pb2.LOG_SEVERITY_INFO,
    Severity.WARNING: builds_pb2.LOG_SEVERITY_WARNING,
    Severity.ERROR: builds_pb2.LOG_SEVERITY_ERROR,
}
_ENCODINGS: dict[ContentEncoding, docs_pb2.ContentEncoding.ValueType] = {
    ContentEncoding.BROTLI: docs_pb2.CONTENT_ENCODING_BROTLI,
    ContentEncoding.GZIP: docs_pb2.CONTENT_ENCODING_GZIP,
}
_ENCODING_OF = {value: encoding for encoding, value in _ENCODINGS.items()}


def entity_ref(message: entity_pb2.EntityRef) -> EntityRef:
    """Return the reference of a message that validation let through."""
    try:
        return EntityRef.of(namespace=message.namespace, kind=message.kind, name=message.name)
    except ValueError as error:
        raise FieldInvalid(FieldViolation("entity", str(error))) from error


def entity_message(entity: EntityRef) -> entity_pb2.EntityRef:
    """Return the message of a reference."""
    return entity_pb2.EntityRef(namespace=entity.namespace, kind=entity.kind, name=entity.name)


def timestamp(moment: datetime | None) -> timestamp_pb2.Timestamp | None:
    """Return the message of a moment; None stays unset."""
    if moment is None:
        return None
    message = timestamp_pb2.Timestamp()
    message.FromDatetime(moment)
    return message


def build_id(name: str) -> str:
    """Return the id in a build's resource name."""
    return name.removeprefix("builds/")


def page_request(*, size: int, token: str, default: int, most: int) -> PageRequest:
    """Return what to list: the default size for 0, never more than the most."""
    return PageRequest(min(size or default, most), token)


def build_states(values: Iterable[builds_pb2.BuildState.ValueType]) -> frozenset[BuildState]:
    """Return the states of a repeated enum field."""
    return frozenset(_STATE_OF[value] for value in values)


def build_message(build: Build) -> builds_pb2.Build:
    """Return the message of a build, with its error if it ended badly."""
    message = builds_pb2.Build(
        name=build.name,
        entity=entity_message(build.entity),
        state=_STATES[build.state],
        create_time=timestamp(build.create_time),
        start_time=timestamp(build.start_time),
        end_time=timestamp(build.end_time),
        revision=build.revision,
        source_etag=build.source_etag,
        last_sequence=build.last_sequence,
        updated=build.updated,
        trigger=_TRIGGERS[build.trigger],
        isolation=build.isolation,
        warnings=[builds_pb2.BuildWarning(message=w.message, file=w.file, line=w.line) for w in build.warnings],
        pages=None if build.pages is None else _progress_message(build.pages),
        full_build_reason=build.full_build_reason,
        phases=[_phase_message(phase) for phase in build.phases],
        attempt=build.attempt,
        worker=build.worker,
    )
    if build.problem is not None:
        message.error.CopyFrom(_build_error(build))
        message.failure.CopyFrom(
            builds_pb2.BuildFailure(
                phase=_STATES[build.problem.phase],
                reason=build.problem.cause or build.problem.reason,
                message=build.problem.message,
                file=build.problem.file,
                line=build.problem.line,
                hint=build.problem.hint,
            )
        )
    return message


def _progress_message(progress: BuildProgress) -> builds_pb2.BuildProgress:
    return builds_pb2.BuildProgress(pages_done=progress.done, pages_reused=progress.reused, pages_total=progress.total)


def _phase_message(phase: PhaseTime) -> builds_pb2.PhaseDuration:
    message = builds_pb2.PhaseDuration(phase=_STATES[phase.phase])
    message.duration.FromMicroseconds(round(phase.seconds * 1e6))
    return message


def _build_error(build: Build) -> status_pb2.Status:
    status = status_of(failure_of(build))
    if build.problem is not None and build.problem.reason == "SERVER_DRAINING":
        return make_status(
            code_pb2.ABORTED, "BUILD_FAILED", build.problem.message, metadata={"phase": str(build.problem.phase)}
        )
    return status


def event_message(event: BuildEvent) -> builds_pb2.BuildEvent:
    """Return the message of an event."""
    message = builds_pb2.BuildEvent(sequence=event.sequence, event_time=timestamp(event.event_time))
    if isinstance(event.happening, LogLine):
        message.log.severity = _SEVERITIES[event.happening.severity]
        message.log.text = event.happening.text
    elif isinstance(event.happening, BuildProgress):
        message.progress.CopyFrom(_progress_message(event.happening))
    else:
        message.state_change.CopyFrom(build_message(event.happening))
    return message


def content_info(content: AnyContent) -> docs_pb2.ContentInfo:
    """Return the description of a file."""
    return docs_pb2.ContentInfo(
        path=content.path,
        revision=content.revision,
        content_type=media_type(content.path),
        size_bytes=content.size_bytes,
        etag=content.etag,
        sha256=content.sha256,
        last_modified=timestamp(content.last_modified),
    )


def encoded_content(variant: LocatedVariant) -> docs_pb2.EncodedContent:
    """Return the description of a file in a coding."""
    return docs_pb2.EncodedContent(
        encoding=_ENCODINGS[variant.encoding], size_bytes=variant.digest.size_bytes, etag=variant.etag
    )


def content_encodings(values: Iterable[docs_pb2.ContentEncoding.ValueType]) -> tuple[ContentEncoding, ...]:
    """Return the codings of a repeated enum field, without those that this version does not know."""
    return tuple(_ENCODING_OF[value] for value in values if value in _ENCODING_OF)


def http_body(data: bytes, content_type: str = "") -> httpbody_pb2.HttpBody:
    """Return bytes as a message."""
    return httpbody_pb2.HttpBody(content_type=content_type, data=data)


def site_message(site: Site, active: Build | None) -> sites_pb2.Site:
    """Return the message of a site."""
    return sites_pb2.Site(
        entity=entity_message(site.entity),
        current_revision=site.pointer.revision,
        title=site.title,
        create_time=timestamp(site.create_time),
        update_time=timestamp(site.update_time),
        revision_count=site.revision_count,
        active_build=active.name if active else "",
        etag=site.pointer.etag,
    )


def revision_message(revision: Revision, pointer: SitePointer) -> sites_pb2.Revision:
    """Return the message of a revision."""
    return sites_pb2.Revision(
        revision=revision.revision,
        entity=entity_message(revision.entity),
        create_time=timestamp(revision.create_time),
        current=revision.revision == pointer.revision,
        file_count=revision.file_count,
        size_bytes=revision.size_bytes,
        build=revision.build,
        source_etag=revision.source_etag,
        pinned=revision.is_pinned,
    )


def published_revision_message(revision: Revision, pointer: SitePointer | None) -> sites_pb2.Revision:
    """Return the message of a revision that was just published, or of one that was only checked and has no id."""
    if pointer is not None and revision.revision:
        return revision_message(revision, pointer)
    return sites_pb2.Revision(
        revision=revision.revision,
        entity=entity_message(revision.entity),
        file_count=revision.file_count,
        size_bytes=revision.size_bytes,
        source_etag=revision.source_etag,
    )
