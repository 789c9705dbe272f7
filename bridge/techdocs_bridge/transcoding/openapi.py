"""The OpenAPI 3.1 document of a route table: the same annotations that route requests describe them.

Paths come from templates, words from the contract's comments, schemas from its
messages and rules. Only what HTTP adds, the error body and the credentials, is
written here.
"""

from __future__ import annotations

from techdocs_bridge.transcoding.comments import Comments
from techdocs_bridge.transcoding.constraints import JSONObject, JSONValue
from techdocs_bridge.transcoding.operations import OperationWriter
from techdocs_bridge.transcoding.routes import RouteTable
from techdocs_bridge.transcoding.schema import Schemas

# The methods an OpenAPI path item has a key for; a custom one cannot be written down.
_METHODS = frozenset({"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"})
_DESCRIPTION = """\
Builds, publishes and serves the documentation of Backstage catalog entities.

HEAD is served wherever GET is. Query parameters may also be spelt as in the
contract (page_size for pageSize). In JSON, 64-bit integers are strings, fields
with their default value are printed, and messages that are not set are left out."""
_ERROR: JSONObject = {
    "type": "object",
    "description": "Every failure, in the shape of Backstage and, inside error, of google.rpc.Status.",
    "required": ["error", "response"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["name", "message"],
            "properties": {
                "name": {"type": "string", "description": "Backstage's name of the error, for example NotFoundError."},
                "message": {"type": "string", "description": "What happened, for people. Do not branch on it."},
                "code": {"type": "integer", "description": "The HTTP status code."},
                "status": {"type": "string", "description": "The gRPC status, for example NOT_FOUND."},
                "details": {
                    "type": "array",
                    "description": "Details of google.rpc, ErrorInfo with the reason among them.",
                    "items": {
                        "type": "object",
                        "required": ["@type"],
                        "properties": {"@type": {"type": "string"}},
                    },
                },
            },
        },
        "request": {
            "type": "object",
            "properties": {"method": {"type": "string"}, "url": {"type": "string"}},
        },
        "response": {
            "type": "object",
            "required": ["statusCode"],
            "properties": {"statusCode": {"type": "integer"}},
        },
    },
}


def document(
    table: RouteTable, *, server_url: str, version: str, comments: Comments | None = None
) -> dict[str, JSONValue]:
    """Return the document of all routes of a table, ready for a JSON or YAML writer.

    `server_url` is where the paths begin (mount included), `version` the software's.
    `comments` are the contract's unless others are given. A route of a custom HTTP
    method is served but has no place in OpenAPI and is left out.
    """
    comments = comments or Comments.of_contract()
    schemas = Schemas(comments, packages={route.method.containing_service.file.package for route in table})
    writer = OperationWriter(schemas, comments)
    paths: dict[str, JSONObject] = {}
    for route in sorted(table, key=lambda route: (route.template.openapi.path, route.http_method)):
        if route.http_method in _METHODS:
            item = paths.setdefault(route.template.openapi.path, {})
            item[route.http_method.lower()] = writer.operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "TechDocs API", "description": _DESCRIPTION, "version": version},
        "servers": [{"url": server_url}],
        "paths": {**paths},
        "components": {
            "securitySchemes": {"bearerAuth": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "schemas": dict(sorted({**schemas.components, "Error": _ERROR}.items())),
        },
        "tags": [{"name": tag} for tag in sorted({route.operation.tag for route in table})],
    }
