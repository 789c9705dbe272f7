"""``GET /metadata/techdocs`` as Backstage has it: what the generator wrote down, with its time in epoch milliseconds.

The OpenAPI document describes the same path with a time in RFC 3339. Its clients ask for its media type by name
(``Accept: application/json``), or without the mount; Backstage's ask for anything, under the mount. That tells the two
readers apart, and the answer says that it depends on it.
"""

from __future__ import annotations

import json

from google.protobuf.message import Message
from starlette.types import Send
from techdocs.v1 import docs_pb2, entity_pb2

from techdocs_bridge.bound_call import BoundCall
from techdocs_bridge.client import ServerClient
from techdocs_bridge.exchange import Exchange
from techdocs_bridge.json_answers import send_document
from techdocs_bridge.refusals import defect
from techdocs_bridge.status import HTTPProblem

_MEDIA_TYPE = "application/json"
_STORED = "techdocs_metadata.json"
_READ = docs_pb2.DESCRIPTOR.services_by_name["DocsService"].methods_by_name["ReadContent"]
VARY = ((b"vary", b"accept"),)
"""What both forms of the answer have."""


def asks_for_stored_form(exchange: Exchange) -> bool:
    """Return whether a reader of Backstage asks, rather than one of the OpenAPI document."""
    return exchange.is_mounted and not exchange.accepts_explicitly("application/json")


class StoredMetadata:
    """Answers with the metadata of sites as they are stored, keys that nobody here knows included."""

    def __init__(self, client: ServerClient) -> None:
        self._client = client

    async def answer(self, call: BoundCall, send: Send) -> None:
        """Answer one GET or HEAD.

        The call for the metadata comes first: it decides whether the caller may see them.

        Raises:
            HTTPProblem: the call failed; nothing was sent.
        """
        described = await self._client.call(call.method, call.request, call.context)
        if not isinstance(described, docs_pb2.GetSiteMetadataResponse):
            raise defect(f"{call.method.full_name} has no metadata")
        body = await self._stored(call, described.revision) or _told(described.metadata)
        await send_document(call.exchange, _MEDIA_TYPE, body, send, headers=VARY)

    async def _stored(self, call: BoundCall, revision: str) -> bytes:
        """Return the stored document, or nothing when there is none that could be handed on."""
        request = docs_pb2.ReadContentRequest(entity=_entity(call.request), path=_STORED, revision=revision)
        body = bytearray()
        try:
            with self._client.stream(_READ, request, call.context) as stream:
                while (message := await stream.read()) is not None:
                    if isinstance(message, docs_pb2.ReadContentResponse):
                        body += message.body.data
        except HTTPProblem:
            # What was described is there. It may come from metadata that were never a file of the site.
            return b""
        return bytes(body) if _is_document(body) else b""


def _entity(request: Message) -> entity_pb2.EntityRef:
    if not isinstance(request, docs_pb2.GetSiteMetadataRequest):
        raise defect("only GetSiteMetadata has stored metadata")
    return request.entity


def _is_document(body: bytes | bytearray) -> bool:
    """Return whether the bytes are what clients read: an object, with a time that is a number."""
    try:
        document = json.loads(body)
    except ValueError:
        return False
    return isinstance(document, dict) and isinstance(document.get("build_timestamp"), int)


def _told(metadata: docs_pb2.SiteMetadata) -> bytes:
    document: dict[str, object] = {
        "site_name": metadata.site_name,
        "site_description": metadata.site_description,
        "build_timestamp": metadata.build_timestamp.ToMilliseconds(),
        "files": list(metadata.files),
    }
    if metadata.etag:
        document["etag"] = metadata.etag
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
