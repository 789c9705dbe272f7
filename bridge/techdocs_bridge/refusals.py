"""What the bridge refuses by itself, before the server hears of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from google.rpc import error_details_pb2

from techdocs_bridge.status import HTTPProblem, JSONValue, problem_of

_SECOND = (("retry-after", "1"),)


def no_such_path() -> HTTPProblem:
    """Nothing lives at the path."""
    return HTTPProblem(status=404, message="there is nothing at this path; see openapi.json", code="NOT_FOUND")


def path_invalid(problem: str) -> HTTPProblem:
    """The path is one that nothing can live at."""
    return HTTPProblem(status=400, message=problem, code="INVALID_ARGUMENT")


def method_not_allowed(allow: str) -> HTTPProblem:
    """Something lives at the path and does not know the method. ``allow`` lists those it knows."""
    return HTTPProblem(
        status=405,
        message=f"the method is not one of {allow}",
        code="UNIMPLEMENTED",
        headers=(("allow", allow),),
    )


def request_invalid(violations: Iterable[tuple[str, str]]) -> HTTPProblem:
    """Fields break their rules: each violation is a field and the rule in words."""
    listed = list(violations)
    message = "; ".join(f"{name}: {rule}" if name else rule for name, rule in listed) or "the request is not valid"
    problem = problem_of("FIELD_INVALID", "INVALID_ARGUMENT", message)
    problem.details += (_bad_request(listed),)
    return problem


def unsupported_media_type(message: str) -> HTTPProblem:
    """The body has a media type that nothing here reads."""
    return HTTPProblem(status=415, message=message, code="INVALID_ARGUMENT")


def body_too_large(limit_bytes: int) -> HTTPProblem:
    """The body is over the limit."""
    return HTTPProblem(
        status=413,
        message=f"the body has more than {limit_bytes} bytes, the most there may be",
        code="INVALID_ARGUMENT",
    )


def body_too_slow(seconds: float) -> HTTPProblem:
    """The body did not arrive in time."""
    return HTTPProblem(
        status=408, message=f"the body did not arrive within {seconds:g} seconds", code="DEADLINE_EXCEEDED"
    )


def authorization_unusable(problem: str, *, status: int) -> HTTPProblem:
    """The authorization header cannot be handed on to the server."""
    return HTTPProblem(status=status, message=f"the authorization header {problem}", code="INVALID_ARGUMENT")


def precondition_failed() -> HTTPProblem:
    """If-Match or If-Unmodified-Since does not hold for what is there."""
    return HTTPProblem(
        status=412, message="the content is not the one that the request is about", code="FAILED_PRECONDITION"
    )


def range_not_satisfiable(size: int) -> HTTPProblem:
    """A content has none of the bytes that the request asks for."""
    message = f"the content has {size} bytes, and none of those that are asked for"
    problem = problem_of("RANGE_NOT_SATISFIABLE", "OUT_OF_RANGE", message, size_bytes=str(size))
    problem.headers = (("content-range", f"bytes */{size}"),)
    return problem


def overloaded() -> HTTPProblem:
    """As many requests as the bridge takes are in flight."""
    problem = problem_of(
        "SERVER_OVERLOADED", "RESOURCE_EXHAUSTED", "there are too many requests at once; try again in a second"
    )
    problem.headers = _SECOND
    return problem


def draining() -> HTTPProblem:
    """The bridge is shutting down."""
    problem = problem_of("SERVER_DRAINING", "UNAVAILABLE", "the server is shutting down; try again")
    problem.headers = _SECOND
    return problem


def defect(log_text: str) -> HTTPProblem:
    """Something here, or what the server sent, is not as it must be. The client gets a fixed text."""
    problem = problem_of("INTERNAL", "INTERNAL", "")
    problem.log_text = log_text
    return problem


def _bad_request(violations: Sequence[tuple[str, str]]) -> dict[str, JSONValue]:
    name = error_details_pb2.BadRequest.DESCRIPTOR.full_name
    listed: list[JSONValue] = [{"field": field, "description": rule} for field, rule in violations]
    return {"@type": f"type.googleapis.com/{name}", "fieldViolations": listed}
