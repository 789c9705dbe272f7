"""What Backstage's backend says of an error, word for word, where its clients may show or compare it.

The server says what is wrong by a reason; here is the one table of what that is called on Backstage's paths
(plugin-techdocs-backend, ``router``; ``CustomErrorBase`` of @backstage/errors for texts with a cause). Reasons that are
not in it keep the server's own words. Entities are named as ``stringifyEntityRef`` of catalog-model does, in lower case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from techdocs_bridge.status import HTTPProblem, JSONValue
from techdocs_bridge.transcoding.percent import PercentInvalid, decode

_METADATA = "techdocs.v1.DocsService.GetSiteMetadata"
_ENTITY = "techdocs.v1.DocsService.GetEntityMetadata"
_SYNC = "techdocs.v1.BuildService.StreamSync"
_CONTENT = "techdocs.v1.DocsService.ReadContent"

# The names that an entity can have (techdocs/v1/entity.proto).
_NAME = re.compile(r"[A-Za-z0-9]+(?:[-_.][A-Za-z0-9]+)*")

_Words = Callable[[HTTPProblem, str], HTTPProblem]


def entity_ref(namespace: str, kind: str, name: str) -> str:
    """Return the reference of an entity as messages have it."""
    return f"{kind}:{namespace or 'default'}/{name}".lower()


def in_backstage_words(problem: HTTPProblem, method: str, ref: str) -> HTTPProblem:
    """Return the problem of a call as Backstage's backend would tell it. ``ref`` is that of `entity_ref`."""
    reason = "ENTITY_NOT_FOUND" if _is_no_name(problem) else problem.reason
    words = _WORDS.get((method, reason))
    return words(problem, ref) if words else problem


def static_ref(api_path: bytes) -> str:
    """Return the reference of the entity that a path under ``/static/docs`` is below, whatever is wrong with the rest.

    Empty when it is below none.
    """
    names = [_decoded(part) for part in api_path.split(b"/")[3:6]]
    return entity_ref(*names) if len(names) == 3 and all(_NAME.fullmatch(name) for name in names) else ""


def _decoded(part: bytes) -> str:
    try:
        return decode(part)
    except PercentInvalid:
        return ""


def path_problem(problem: HTTPProblem, ref: str) -> HTTPProblem:
    """Return the problem of a static path that breaks a rule: such content cannot exist."""
    return replace(problem, message=f"Content not found for {ref}")


def _is_no_name(problem: HTTPProblem) -> bool:
    """Return whether nothing is wrong but that no entity can have this name: to Backstage it is one there is not."""
    fields = [
        str(violation.get("field", ""))
        for detail in problem.details
        for violation in _listed(detail.get("fieldViolations"))
    ]
    return problem.reason == "FIELD_INVALID" and bool(fields) and all(field.startswith("entity.") for field in fields)


def _listed(violations: JSONValue) -> list[dict[str, JSONValue]]:
    return (
        [violation for violation in violations if isinstance(violation, dict)] if isinstance(violations, list) else []
    )


def _no_metadata(problem: HTTPProblem, ref: str) -> HTTPProblem:
    return replace(problem, message=f"Unable to get metadata for '{ref}'", status=404)


def _no_metadata_because(cause_name: str, cause: Callable[[HTTPProblem, str], str]) -> _Words:
    def words(problem: HTTPProblem, ref: str) -> HTTPProblem:
        said = cause(problem, ref)
        message = f"Unable to get metadata for '{ref}'; caused by {cause_name}: {said}"
        return replace(problem, message=message, cause={"name": cause_name, "message": said})

    return words


def _said(message: str) -> _Words:
    return lambda problem, ref: replace(problem, message=message.format(ref=ref), status=404)


def _own_words(problem: HTTPProblem, ref: str) -> str:
    return problem.message


def _no_source(problem: HTTPProblem, ref: str) -> HTTPProblem:
    """Name the cause as the server does, or the one there mostly is."""
    name = problem.metadata.get("cause_name", "InputError")
    missing = f"No backstage.io/techdocs-ref annotation provided in entity: {ref.rpartition('/')[2]}"
    message = problem.metadata.get("cause_message", missing)
    return _no_metadata_because(name, lambda _problem, _ref: message)(problem, ref)


def _no_build(problem: HTTPProblem, ref: str) -> HTTPProblem:
    return replace(problem, message=problem.metadata.get("sync_message", problem.message))


def _failed_build(problem: HTTPProblem, ref: str) -> HTTPProblem:
    """Say who failed, as the generator of techdocs-node does of MkDocs."""
    if problem.metadata.get("cause") != "MKDOCS_FAILED":
        return problem
    return replace(problem, message=f"{problem.message}; caused by Error: Command mkdocs failed, exit code: 1")


_WORDS: Mapping[tuple[str, str], _Words] = {
    (_METADATA, "ENTITY_NOT_FOUND"): _no_metadata,
    (_METADATA, "SITE_NOT_FOUND"): _no_metadata_because("NotFoundError", _own_words),
    (_METADATA, "REVISION_NOT_FOUND"): _no_metadata_because("NotFoundError", _own_words),
    (_METADATA, "CONTENT_NOT_FOUND"): _no_metadata_because("NotFoundError", _own_words),
    (_ENTITY, "ENTITY_NOT_FOUND"): _no_metadata,
    (_ENTITY, "NO_DOCS_SOURCE"): _no_source,
    (_SYNC, "ENTITY_NOT_FOUND"): _said("Entity metadata UID missing"),
    (_SYNC, "NO_DOCS_SOURCE"): _no_build,
    (_SYNC, "BUILD_FAILED"): _failed_build,
    (_CONTENT, "ENTITY_NOT_FOUND"): _said("Entity not found for {ref}"),
}
