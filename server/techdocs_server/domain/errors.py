"""Every error this service reports, in one tree.

::

    TechDocsError
    ├── AccessError            the caller is not let in (access_errors.py)
    │   ├── Unauthenticated
    │   └── AccessDenied
    ├── InvalidArgument        the caller broke a rule of the contract
    │   ├── FieldInvalid
    │   ├── PageTokenInvalid
    │   └── StreamOrderInvalid, ManifestRefused, SentBytesMismatch (publish_errors.py)
    ├── NotFound               the thing is not there, and that is certain
    │   ├── EntityNotFound
    │   │   └── EntityWithoutUID
    │   ├── SiteNotFound
    │   ├── RevisionNotFound
    │   ├── ContentNotFound
    │   └── BuildNotFound
    ├── Conflict               the state of the thing forbids it now
    │   ├── RequestIdReused
    │   ├── NoDocsSource
    │   ├── BuilderDisabled
    │   ├── PublishDisabled, BlobsMissing (publish_errors.py)
    │   ├── BuildInProgress
    │   ├── ETagMismatch
    │   ├── RevisionConflict
    │   └── those of `upkeep_errors`
    ├── RangeNotSatisfiable
    ├── BuildError             the build ended without a revision
    │   ├── BuildFailed        what its author or operator can mend
    │   └── BuildCancelled
    ├── Exhausted              a bound was reached
    │   ├── ServerOverloaded
    │   ├── BuildQueueFull
    │   └── QuotaExceeded
    ├── Unavailable            something we depend on does not answer
    │   ├── StorageUnavailable
    │   │   └── ContentReplaced (classic_errors.py)
    │   ├── CatalogUnavailable
    │   ├── AuthenticationUnavailable (access_errors.py)
    │   └── ServerDraining
    ├── DeadlineExceeded
    └── ContentCorrupt         stored bytes are not what they were
        └── ManifestUnreadable

Each class has a stable ``reason``, the name on the wire, and builds its message
from its data. Messages say what happened, to what, and what to do next; they
never hold paths of this machine, secrets, or another tenant's names. The map to
gRPC codes is ``rpc/status.py``.

Two more errors never leave the service: `BlobMissing` (a port's answer; readers
turn it into `ContentCorrupt`) and `BuildStepFailed` (a step of a build; the
dispatcher records it and waiters get `BuildFailed`).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass


class TechDocsError(Exception):
    """Root of the tree. ``metadata`` becomes ErrorInfo.metadata on the wire."""

    reason = "INTERNAL"

    def __init__(self, message: str, *, metadata: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.metadata = metadata or {}


class InvalidArgument(TechDocsError):
    """The caller broke a rule of the contract."""


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field that breaks a rule: its path in the request, and the rule in words."""

    field: str
    description: str


class FieldInvalid(InvalidArgument):
    """One or more fields break their rules."""

    reason = "FIELD_INVALID"

    def __init__(self, *violations: FieldViolation) -> None:
        super().__init__("; ".join(f"{v.field}: {v.description}" if v.field else v.description for v in violations))
        self.violations = violations


class PageTokenInvalid(InvalidArgument):
    """A page token that no call with these arguments returned."""

    reason = "PAGE_TOKEN_INVALID"

    def __init__(self) -> None:
        super().__init__(
            "page_token is not one that a call with the same arguments returned; start from the first page"
        )


class NotFound(TechDocsError):
    """The thing is not there, and that is certain."""


class EntityNotFound(NotFound):
    """The catalog has no such entity."""

    reason = "ENTITY_NOT_FOUND"

    def __init__(self, ref: str, message: str = "") -> None:
        super().__init__(message or f"the catalog has no entity {ref}", metadata={"entity": ref})


class EntityWithoutUID(EntityNotFound):
    """The catalog gives the entity no id, so it is not one that it keeps."""

    def __init__(self, ref: str) -> None:
        super().__init__(ref, f"the catalog gives {ref} no metadata.uid, so it cannot be synced")


class SiteNotFound(NotFound):
    """Nothing is published for the entity."""

    reason = "SITE_NOT_FOUND"

    def __init__(self, ref: str) -> None:
        super().__init__(f"no documentation is published for {ref}; sync it to build it", metadata={"entity": ref})


class RevisionNotFound(NotFound):
    """The site has no such revision."""

    reason = "REVISION_NOT_FOUND"

    def __init__(self, ref: str, revision: str) -> None:
        super().__init__(
            f"the site of {ref} has no revision {revision}", metadata={"entity": ref, "revision": revision}
        )


class ContentNotFound(NotFound):
    """The revision has no such path."""

    reason = "CONTENT_NOT_FOUND"

    def __init__(self, ref: str, revision: str, path: str) -> None:
        super().__init__(f"the site of {ref} has no {path!r}", metadata={"entity": ref, "revision": revision})


class BuildNotFound(NotFound):
    """There is no such build."""

    reason = "BUILD_NOT_FOUND"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no build {name}", metadata={"build": name})


class Conflict(TechDocsError):
    """The state of the thing forbids it now."""


class RequestIdReused(Conflict):
    """A request id that came before, with other arguments."""

    reason = "REQUEST_ID_REUSED"

    def __init__(self) -> None:
        super().__init__("request_id was used before for another request; make a new one")


class NoDocsSource(Conflict):
    """The entity names no documentation source that this server builds.

    ``details`` are what Backstage's clients know the problem as (`KnownProblem`).
    """

    reason = "NO_DOCS_SOURCE"

    def __init__(self, ref: str, problem: str, *, details: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{ref} has no documentation source: {problem}", metadata={"entity": ref, **(details or {})})


class BuilderDisabled(Conflict):
    """This server builds nothing."""

    reason = "BUILDER_DISABLED"

    def __init__(self) -> None:
        super().__init__("this server builds no documentation (builder is external); publish the site to it instead")


class BuildInProgress(Conflict):
    """A build of the site is in flight."""

    reason = "BUILD_IN_PROGRESS"

    def __init__(self, ref: str, build: str) -> None:
        super().__init__(
            f"{build} is building {ref}; wait for it, or set force to cancel it",
            metadata={"entity": ref, "build": build},
        )


class ETagMismatch(Conflict):
    """The etag given is not the current one."""

    reason = "ETAG_MISMATCH"

    def __init__(self, ref: str, current: str) -> None:
        super().__init__(
            f"the site of {ref} changed since it was read; read it again", metadata={"entity": ref, "etag": current}
        )


class RevisionConflict(Conflict):
    """Another publish moved the pointer first, or the revision that the caller expects is not current."""

    reason = "REVISION_CONFLICT"

    def __init__(self, ref: str) -> None:
        super().__init__(
            f"another publish of {ref} came first; look at the site, then sync or publish again",
            metadata={"entity": ref},
        )


class RangeNotSatisfiable(TechDocsError):
    """The range begins past the end of the content."""

    reason = "RANGE_NOT_SATISFIABLE"

    def __init__(self, size_bytes: int) -> None:
        super().__init__(
            f"the range begins past the end of {size_bytes} bytes", metadata={"size_bytes": str(size_bytes)}
        )


class BuildError(TechDocsError):
    """A build ended without a revision."""


class BuildFailed(BuildError):
    """The build failed; ``problem`` is what its log ends with."""

    reason = "BUILD_FAILED"

    def __init__(self, ref: str, build: str, phase: str, problem: str) -> None:
        super().__init__(
            f"building {ref} failed while {phase}: {problem}", metadata={"entity": ref, "build": build, "phase": phase}
        )


class BuildCancelled(BuildError):
    """The build was stopped on request."""

    reason = "BUILD_CANCELLED"

    def __init__(self, ref: str, build: str) -> None:
        super().__init__(f"{build} of {ref} was cancelled", metadata={"entity": ref, "build": build})


class Exhausted(TechDocsError):
    """A bound was reached. ``retry_after_seconds`` is None where retrying cannot help."""

    retry_after_seconds: float | None = None


class ServerOverloaded(Exhausted):
    """More calls at once than this server takes."""

    reason = "SERVER_OVERLOADED"
    retry_after_seconds = 1.0

    def __init__(self) -> None:
        super().__init__("the server has too many calls at once; try again in a second")


class BuildQueueFull(Exhausted):
    """As many builds are waiting as the queue holds."""

    reason = "BUILD_QUEUE_FULL"
    retry_after_seconds = 10.0

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} builds are waiting already; try again in a few seconds")


class QuotaExceeded(Exhausted):
    """The source or the site is larger than allowed."""

    reason = "QUOTA_EXCEEDED"

    def __init__(self, what: str) -> None:
        super().__init__(what)


class Unavailable(TechDocsError):
    """Something we depend on does not answer now; never said of missing data."""

    retry_after_seconds: float = 5.0


class StorageUnavailable(Unavailable):
    """A store does not answer, refuses, or is full."""

    reason = "STORAGE_UNAVAILABLE"

    def __init__(self, problem: str) -> None:
        super().__init__(f"storage is unavailable: {problem}")


class CatalogUnavailable(Unavailable):
    """The catalog cannot be read."""

    reason = "CATALOG_UNAVAILABLE"

    def __init__(self, problem: str) -> None:
        super().__init__(f"the catalog cannot be read: {problem}")


class ServerDraining(Unavailable):
    """The server is shutting down."""

    reason = "SERVER_DRAINING"
    retry_after_seconds = 1.0

    def __init__(self) -> None:
        super().__init__("the server is shutting down; try again")


class DeadlineExceeded(TechDocsError):
    """The work did not end inside the deadline."""

    reason = "DEADLINE_EXCEEDED"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"not done after {seconds:g} seconds")


class ContentCorrupt(TechDocsError):
    """Stored bytes are missing or do not match their digest."""

    reason = "CONTENT_CORRUPT"

    def __init__(self, ref: str, path: str) -> None:
        super().__init__(f"the stored bytes of {path!r} of {ref} are damaged; a forced sync stores them again")


class BuildFailureReason(enum.StrEnum):
    """What kind of failure ended a build step. Names are the wire's."""

    SOURCE_UNAVAILABLE = "SOURCE_UNAVAILABLE"
    """The source could not be fetched: host down, not found, credentials refused."""
    SOURCE_REFUSED = "SOURCE_REFUSED"
    """The source breaks a rule: a host that is not allowed, an unsafe archive, too large."""
    CONFIG_INVALID = "CONFIG_INVALID"
    """mkdocs.yml is not a configuration: broken YAML, wrong types."""
    CONFIG_REFUSED = "CONFIG_REFUSED"
    """mkdocs.yml asks for what is not allowed and cannot be left out."""
    MKDOCS_FAILED = "MKDOCS_FAILED"
    """MkDocs itself ended with an error."""
    TIMED_OUT = "TIMED_OUT"
    """The deadline passed."""
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    """The build used more memory, processor time, files or output than it may."""
    KILLED = "KILLED"
    """The build's process was killed from outside."""
    OUTPUT_REFUSED = "OUTPUT_REFUSED"
    """The site has no front page, or a file that cannot be one of a site."""
    ISOLATION_UNAVAILABLE = "ISOLATION_UNAVAILABLE"
    """This machine cannot isolate builds, and the operator requires it."""


class BlobMissing(Exception):
    """A blob store does not hold this digest. Not a failure of the store."""

    def __init__(self, sha256: str) -> None:
        super().__init__(f"no blob {sha256}")
        self.sha256 = sha256


class DigestMismatch(Exception):
    """Bytes given to, or read from, a blob store are not those of the digest."""

    def __init__(self, sha256: str) -> None:
        super().__init__(f"bytes do not match digest {sha256}")
        self.sha256 = sha256


class BuildStepFailed(Exception):
    """A step of a build failed for a reason its author or operator can mend.

    ``problem`` is one sentence for them, without paths of this machine.
    ``reason`` is a `BuildFailureReason`; ``file`` (relative to the source) and
    ``line`` say where, and ``hint`` what to write instead, as far as known.
    """

    def __init__(
        self,
        problem: str,
        *,
        reason: BuildFailureReason = BuildFailureReason.MKDOCS_FAILED,
        file: str = "",
        line: int = 0,
        hint: str = "",
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.reason = reason
        self.file = file
        self.line = line
        self.hint = hint
