"""DocsService: messages in, `SiteReader` and `SiteDescriber` calls, messages out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TypeAlias

from techdocs.v1 import docs_pb2, docs_pb2_grpc

from techdocs_server.domain.classic_errors import ContentReplaced
from techdocs_server.domain.principal import PrincipalKind
from techdocs_server.rpc.answer_scope import CATALOG_VALID_SECONDS, DEFAULT_VALID_SECONDS, answer_scope
from techdocs_server.rpc.convert import (
    content_encodings,
    content_info,
    encoded_content,
    entity_message,
    entity_ref,
    http_body,
    page_request,
    timestamp,
)
from techdocs_server.rpc.interceptors.wrapping import Context
from techdocs_server.rpc.principal import current_principal
from techdocs_server.services.describing import SiteDescriber
from techdocs_server.services.listing import Listings
from techdocs_server.services.reading import AnyView, SiteReader, SiteView
from techdocs_server.services.selecting import Selected, Wanted, read, select

ReadRequest: TypeAlias = docs_pb2.ReadContentRequest | docs_pb2.GetContentRequest


class DocsServicer(docs_pb2_grpc.DocsServiceServicer):
    """The read path."""

    def __init__(
        self,
        *,
        reader: SiteReader,
        describer: SiteDescriber,
        listings: Listings,
        max_unary_bytes: int,
        valid_seconds: float = DEFAULT_VALID_SECONDS,
    ) -> None:
        """``valid_seconds`` is how long a cache may use what was decided about a caller before a method was called."""
        self._valid_seconds = valid_seconds
        self._reader = reader
        self._describer = describer
        self._listings = listings
        self._max_unary_bytes = max_unary_bytes

    async def GetSiteMetadata(
        self, request: docs_pb2.GetSiteMetadataRequest, context: Context
    ) -> docs_pb2.GetSiteMetadataResponse:
        """See docs.proto."""
        metadata, view = await self._describer.site(
            entity_ref(request.entity), request.revision, viewer=current_principal()
        )
        return docs_pb2.GetSiteMetadataResponse(
            metadata=docs_pb2.SiteMetadata(
                site_name=metadata.site_name,
                site_description=metadata.site_description,
                etag=metadata.etag,
                build_timestamp=timestamp(metadata.build_timestamp),
                files=metadata.files,
            ),
            revision=view.revision,
            # The catalog decides about metadata under every policy, where it can hide anything.
            access=self._scope(view, request.revision, is_of_catalog=self._describer.checks_entities),
        )

    async def GetEntityMetadata(
        self, request: docs_pb2.GetEntityMetadataRequest, context: Context
    ) -> docs_pb2.GetEntityMetadataResponse:
        """See docs.proto."""
        entity = await self._describer.entity(entity_ref(request.entity), viewer=current_principal())
        document = json.dumps(entity.document, separators=(",", ":"), ensure_ascii=False).encode()
        return docs_pb2.GetEntityMetadataResponse(
            body=http_body(document, "application/json; charset=utf-8"),
            summary=docs_pb2.EntitySummary(
                entity=entity_message(entity.ref),
                uid=entity.uid,
                title=entity.title,
                description=entity.description,
                techdocs_ref=entity.techdocs_ref,
                source_uri=f"{entity.source.type}:{entity.source.display}" if entity.source else "",
                owner=entity.owner,
            ),
        )

    async def ReadContent(
        self, request: docs_pb2.ReadContentRequest, context: Context
    ) -> AsyncIterator[docs_pb2.ReadContentResponse]:
        """See docs.proto."""
        try:
            async for response in self._stream(request):
                yield response
        except ContentReplaced:
            # Raised before anything is sent only. Once: a file that is replaced all the time is its owner's matter.
            async for response in self._stream(request):
                yield response

    async def _stream(self, request: docs_pb2.ReadContentRequest) -> AsyncIterator[docs_pb2.ReadContentResponse]:
        selected, chunks = await self._read(request)
        message = docs_pb2.ReadContentResponse()
        _describe(message, selected)
        message.access.CopyFrom(self._scope(selected.view, request.revision))
        message.body.content_type = message.info.content_type
        if chunks is None:
            yield message
            return
        first = message
        async for chunk in chunks:
            message.body.data = chunk
            yield message
            message = docs_pb2.ReadContentResponse()
        if message is first:
            yield first  # nothing to send is still an answer

    async def GetContent(self, request: docs_pb2.GetContentRequest, context: Context) -> docs_pb2.GetContentResponse:
        """See docs.proto."""
        try:
            return await self._content(request)
        except ContentReplaced:
            return await self._content(request)

    async def _content(self, request: docs_pb2.GetContentRequest) -> docs_pb2.GetContentResponse:
        most_bytes = min(request.max_data_bytes or self._max_unary_bytes, self._max_unary_bytes)
        selected, chunks = await self._read(request, most_bytes=most_bytes)
        response = docs_pb2.GetContentResponse()
        _describe(response, selected)
        response.access.CopyFrom(self._scope(selected.view, request.revision))
        if chunks is not None:
            # In place: a body that is made apart is copied whole once more.
            response.body.content_type = response.info.content_type
            response.body.data = b"".join([chunk async for chunk in chunks])
        else:
            response.data_omitted = selected.length > most_bytes and _wants_bytes(request, selected)
        return response

    async def ListContents(
        self, request: docs_pb2.ListContentsRequest, context: Context
    ) -> docs_pb2.ListContentsResponse:
        """See docs.proto."""
        revision, page = await self._listings.contents(
            entity_ref(request.entity),
            revision=request.revision,
            path_prefix=request.path_prefix,
            page=page_request(size=request.page_size, token=request.page_token, default=100, most=1000),
        )
        return docs_pb2.ListContentsResponse(
            contents=[content_info(content) for content in page.items],
            next_page_token=page.next_token,
            revision=revision,
        )

    async def _read(
        self, request: ReadRequest, *, most_bytes: int | None = None
    ) -> tuple[Selected, AsyncIterator[bytes] | None]:
        """Return what answers a request, and its bytes; None for those when none are wanted, or more than the most."""
        view = await self._reader.open(entity_ref(request.entity), request.revision)
        wanted = Wanted(
            held=request.if_none_match,
            accepted=content_encodings(request.accept_encodings),
            offset=request.read_offset,
            limit=request.read_limit,
        )
        selected = await select(self._reader, view, view.locate(request.path), wanted)
        if not _wants_bytes(request, selected) or _is_more(selected, most_bytes):
            return selected, None
        selected, chunks = await read(self._reader, selected)
        # A variant that is lost by now is smaller than what stands in for it.
        return selected, None if _is_more(selected, most_bytes) else chunks

    def _scope(self, view: AnyView, asked_revision: str, *, is_of_catalog: bool = False) -> docs_pb2.AnswerScope:
        """Of sites that others publish no change is told."""
        return answer_scope(
            current_principal(),
            valid_seconds=min(self._valid_seconds, CATALOG_VALID_SECONDS) if is_of_catalog else self._valid_seconds,
            is_followed=not asked_revision and isinstance(view, SiteView),
        )


def _wants_bytes(request: ReadRequest, selected: Selected) -> bool:
    return not selected.not_modified and request.view != docs_pb2.CONTENT_VIEW_INFO


def _is_more(selected: Selected, most_bytes: int | None) -> bool:
    return most_bytes is not None and selected.length > most_bytes


def _describe(message: docs_pb2.ReadContentResponse | docs_pb2.GetContentResponse, selected: Selected) -> None:
    """Say what is selected, in a message that says nothing yet."""
    message.info.CopyFrom(content_info(selected.content))
    message.not_modified = selected.not_modified
    message.private = current_principal().kind is not PrincipalKind.ANONYMOUS
    if selected.variant is not None:
        message.encoded.CopyFrom(encoded_content(selected.variant))
    if selected.is_part:
        message.range.CopyFrom(docs_pb2.ContentRange(offset=selected.offset, length=selected.length))
