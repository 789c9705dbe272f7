"""One route as an OpenAPI operation object."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.descriptor import FieldDescriptor

from techdocs_bridge.transcoding.comments import Comments
from techdocs_bridge.transcoding.constraints import JSONObject, JSONValue, rules_of
from techdocs_bridge.transcoding.fields import HTTP_BODY
from techdocs_bridge.transcoding.http_forms import HTTPForm, form_of
from techdocs_bridge.transcoding.http_rules import Route
from techdocs_bridge.transcoding.openapi_path import PathParameter
from techdocs_bridge.transcoding.query import query_parameters
from techdocs_bridge.transcoding.schema import Schemas, is_required

_JSON = "application/json"
_LINES = "application/x-ndjson"
_EVENTS = "text/event-stream"
ERROR_SCHEMA = "#/components/schemas/Error"


class OperationWriter:
    """Writes operations; the schemas they need gather in `schemas`."""

    def __init__(self, schemas: Schemas, comments: Comments) -> None:
        self._schemas = schemas
        self._comments = comments

    def operation(self, route: Route) -> JSONObject:
        """Return the operation object of a route."""
        written: JSONObject = {
            "operationId": route.operation.operation_id,
            "tags": [route.operation.tag],
            "summary": self._comments.summary(route.full_name),
            "description": self._comments.text(route.full_name),
            "security": [{"bearerAuth": []}],
            "parameters": [
                *self._path_parameters(route),
                *self._query_parameters(route),
                *_header_parameters(form_of(route)),
            ],
            "responses": self._responses(route),
            "x-grpc-method": route.full_name,
        }
        if route.body:
            written["requestBody"] = self._request_body(route)
        if route.method.GetOptions().deprecated:
            written["deprecated"] = True
        return {key: value for key, value in written.items() if value not in ("", [])}

    def _path_parameters(self, route: Route) -> Iterator[JSONObject]:
        for parameter in route.template.openapi.parameters:
            field = _field_at(route, parameter.field_path)
            text = self._comments.text(field.full_name) if field else ""
            if not parameter.is_whole_value and parameter.field_path:
                text = f"The {parameter.name} in {parameter.field_path}: {text}"
            if parameter.is_open:
                text += "\n\nIt may hold slashes, written as they are: it stands for all the rest of the path."
            schema: JSONObject = {"type": "string"}
            if field is not None:
                schema = self._path_schema(parameter, field)
            yield {"name": parameter.name, "in": "path", "required": True, **_described(text), "schema": schema}

    def _path_schema(self, parameter: PathParameter, field: FieldDescriptor) -> JSONObject:
        if parameter.is_whole_value:
            return self._schemas.parameter(field, in_path=True)
        pattern = rules_of(field).string.pattern
        if parameter.prefix and pattern.startswith(f"^{parameter.prefix}"):
            return {"type": "string", "pattern": "^" + pattern.removeprefix(f"^{parameter.prefix}")}
        return {"type": "string", "minLength": 1}

    def _query_parameters(self, route: Route) -> Iterator[JSONObject]:
        allowed = form_of(route).query
        for parameter in query_parameters(route):
            if allowed is not None and parameter.proto_path not in allowed:
                continue
            written: JSONObject = {
                "name": parameter.json_path,
                "in": "query",
                "required": all(is_required(field) for field in parameter.fields),
                **_described(self._comments.text(parameter.field.full_name)),
                "schema": self._schemas.parameter(parameter.field, in_path=False),
            }
            yield written

    def _request_body(self, route: Route) -> JSONObject:
        request = route.method.input_type
        if route.body == "*" and request.full_name != HTTP_BODY:
            schema = self._schemas.members(request, bound=frozenset(route.template.variables))
            return {"required": "required" in schema, "content": {_JSON: {"schema": schema}}}
        field = request.fields_by_name.get(route.body)
        if field is None or (field.message_type is not None and field.message_type.full_name == HTTP_BODY):
            return {"required": True, "content": {"*/*": {}}}
        return {"required": is_required(field), "content": {_JSON: {"schema": self._schemas.field(field)}}}

    def _responses(self, route: Route) -> JSONObject:
        operation, form = route.operation, form_of(route)
        failure = [_JSON, *form.failure_media_types]
        success = self._success_content(route)
        responses: JSONObject = {"200": {"description": operation.success or "OK", "content": success}}
        for status, meaning in form.responses.items():
            if status >= "400":
                responses[status] = _error(meaning, failure)
            else:
                responses[status] = {"description": meaning, **({"content": success} if status == "206" else {})}
        responses["400"] = _error("The request breaks a rule; the details name the fields.", failure)
        if operation.not_found:
            responses["404"] = _error(operation.not_found, failure)
        return {**dict(sorted(responses.items())), "default": _error("Any other failure.", failure)}

    def _success_content(self, route: Route) -> JSONObject:
        response = route.method.output_type
        field = response.fields_by_name[route.response_body] if route.response_body else None
        content = field.message_type if field is not None else response
        if content is not None and content.full_name == HTTP_BODY:
            return {media_type: _raw(media_type) for media_type in route.operation.media_types or ["*/*"]}
        media_types = route.operation.media_types or [_LINES if route.server_streaming else _JSON]
        if list(media_types) == [_EVENTS]:
            return {_EVENTS: {"schema": {"type": "string"}}}
        schema = self._schemas.message(response) if field is None else self._schemas.field(field)
        return {media_type: _framed(media_type, schema) for media_type in media_types}


def _field_at(route: Route, path: str) -> FieldDescriptor | None:
    field: FieldDescriptor | None = None
    message = route.method.input_type
    for name in path.split(".") if path else ():
        field = message.fields_by_name[name]
        message = field.message_type or message
    return field


def _header_parameters(form: HTTPForm) -> Iterator[JSONObject]:
    for name, text in form.headers.items():
        yield {"name": name, "in": "header", "required": False, "description": text, "schema": {"type": "string"}}


def _described(text: str) -> JSONObject:
    return {"description": text.strip()} if text.strip() else {}


def _raw(media_type: str) -> JSONObject:
    """Return the media type object of bytes that an HttpBody carries."""
    if media_type == _JSON:
        return {"schema": {"type": "object"}}
    return {"schema": {"type": "string"}} if media_type.startswith("text/") else {}


def _framed(media_type: str, schema: JSONObject) -> JSONObject:
    """Return the media type object of messages: a document each, a line each, or events of a stream."""
    if media_type == _LINES:
        # OpenAPI 3.1 has no word for one JSON document a line.
        return {"schema": {"type": "string"}, "x-line-schema": schema}
    if media_type == _EVENTS:
        return {"schema": {"type": "string"}}
    return {"schema": schema}


def _error(description: str, media_types: list[str]) -> JSONObject:
    content: dict[str, JSONValue] = {
        media_type: {"schema": {"$ref": ERROR_SCHEMA} if media_type == _JSON else {"type": "string"}}
        for media_type in media_types
    }
    return {"description": description, "content": content}
