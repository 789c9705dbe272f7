"""What every answer that is an error must be, for each of its three readers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx

# JSON of known shape: a wrong step into it fails the test that takes it.
Body = dict[str, Any]

_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
_REQUEST_INFO = "type.googleapis.com/google.rpc.RequestInfo"
_MAX_MESSAGE = 512
# Paths of the machine, names of Python's types, addresses: nothing that a stranger should read.
_LEAK = re.compile(r"Traceback|\w+(?:Error|Exception):|\.py\b|/(?:tmp|home|root|usr|work|etc|var)/|127\.0\.0\.1|sqlite")
# What @backstage/errors puts between a message and that of its cause.
_CAUSE = re.compile(r"; caused by (?:NotFound|Input)Error: ")

BACKSTAGE_NAMES: Mapping[int, str] = {
    400: "InputError",
    404: "NotFoundError",
    409: "ConflictError",
    503: "ServiceUnavailableError",
}
"""The names that @backstage/errors branches on."""


def check_problem(
    answer: httpx.Response, *, status: int, reason: str, code: str, method: str = "GET", url: str
) -> Body:
    """Check an error body and return its ErrorInfo. ``url`` is what it must call the request, relative to the mount.

    Backstage reads ``error.name`` and ``response.statusCode``, readers of Google's
    APIs read ``error.code``, ``status`` and ``details``, people read the message.
    """
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    body: Body = answer.json()
    assert set(body) == {"error", "request", "response"}
    assert body["request"] == {"method": method, "url": url}
    assert body["response"] == {"statusCode": status}
    error = body["error"]
    assert set(error) - {"cause"} == {"name", "message", "code", "status", "details"}
    assert set(error.get("cause", {})) <= {"name", "message"}
    assert error["name"] == BACKSTAGE_NAMES.get(status, error["name"]) != ""
    assert (error["code"], error["status"]) == (status, code)
    assert 0 < len(error["message"]) <= _MAX_MESSAGE
    assert not _LEAK.search(_CAUSE.sub("", answer.text)), answer.text
    info = error["details"][0]
    assert (info["@type"], info["reason"], info["domain"]) == (_ERROR_INFO, reason, "techdocs")
    ids = [detail["requestId"] for detail in error["details"] if detail["@type"] == _REQUEST_INFO]
    assert ids == [answer.headers["x-request-id"]]
    found: Body = info
    return found


def detail(answer: httpx.Response, name: str) -> Body:
    """Return the one google.rpc detail of a type from an error body. Raises `AssertionError`."""
    details = answer.json()["error"]["details"]
    found: list[Body] = [each for each in details if each["@type"] == f"type.googleapis.com/google.rpc.{name}"]
    assert len(found) == 1, details
    return found[0]
