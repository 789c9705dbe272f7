"""How a problem is told: to the log, and to the client.

The client gets one JSON object that Backstage's clients and readers of Google's API errors both understand.

::

    {"error": {"name": "NotFoundError", "message": "...", "code": 404, "status": "NOT_FOUND", "details": [...]},
     "request": {"method": "GET", "url": "/metadata/techdocs/default/component/x"},
     "response": {"statusCode": 404}}

``ResponseError.fromResponse`` of @backstage/errors wants ``error`` and ``response`` and takes the name and the message
as the cause; AIP-193 wants ``error`` with code, message, status and details.
"""

from __future__ import annotations

import json
import logging

from google.rpc import error_details_pb2
from starlette.responses import Response

from techdocs_bridge.exchange import Exchange
from techdocs_bridge.status import HTTPProblem, JSONValue, packed_json

_log = logging.getLogger("techdocs.bridge")


def log_problem(problem: HTTPProblem, exchange: Exchange) -> None:
    """Log what the client is not told. A problem the client is told in full has its line in the access log."""
    if problem.log_text and problem.status >= 500:
        extra = {"request_id": exchange.request_id, "reason": problem.reason, "problem": problem.log_text}
        _log.error("call_failed", extra=extra)


def shown_message(problem: HTTPProblem, exchange: Exchange) -> str:
    """Return what the client is told in words. A defect of ours is told by the id its log line has."""
    return problem.message or f"something went wrong in the service; its log has the request id {exchange.request_id}"


def error_response(problem: HTTPProblem, exchange: Exchange) -> Response:
    """Return the JSON answer for a problem. Errors are never stored by caches."""
    request_info = packed_json(error_details_pb2.RequestInfo(request_id=exchange.request_id))
    error: dict[str, JSONValue] = {
        "name": problem.name,
        "message": shown_message(problem, exchange),
        **({"cause": dict(problem.cause)} if problem.cause else {}),
        "code": problem.status,
        "status": problem.code,
        "details": [*(dict(detail) for detail in problem.details), request_info],
    }
    body = {
        "error": error,
        # The answer to HEAD has the length of that to GET (RFC 9110, section 9.3.2), though nobody sees this body.
        "request": {"method": "GET" if exchange.method == "HEAD" else exchange.method, "url": exchange.url},
        "response": {"statusCode": problem.status},
    }
    headers = {**dict(problem.headers), "cache-control": "no-store"}
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
    return Response(content, problem.status, headers, media_type="application/json")
