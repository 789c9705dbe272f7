"""DocsService: messages in, `SiteReader` and `SiteDescriber` calls, messages out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from techdocs.v1 import docs_pb2, docs_pb2_grpc

from techdocs_server.domain.classic_errors import ContentReplaced
from techdocs_server.domain.errors import RangeNotSatisfiable
from techdocs_server.domain.media_type import media_type
from techdocs_server.rpc.convert import content_info, entity_message, entity_ref, http_body, page_request, timestamp
from techdocs_server.rpc.interceptors.wrapping import Context
from techdocs_server.rpc.principal import current_principal
from techdocs_server.services.describing import SiteDescriber
from techdocs_server.services.listing import Listings
from techdocs_server.services.reading import AnyContent, AnyView, SiteReader

ReadRequest: TypeAlias = docs_pb2.ReadContentRequest | docs_pb2.GetContentRequest


@dataclass(frozen=True, slots=True)
class _Selected:
    """The file a request is about, and the part of it to send; length None sends nothing."""

    view: AnyView
    content: AnyContent
    not_modified: bool
    offset: int
    length: int | None

    @property
    def is_part(self) -> bool:
        return self.length is not None and self.length < self.content.size_bytes


class DocsServicer(docs_pb2_grpc.DocsServiceServicer):
    """The read path."""

    def __init__(
        self, *, reader: SiteReader, describer: SiteDescriber, listings: Listings, max_unary_bytes: int
    ) -> None:
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
        selected = await self._select(request)
        first = docs_pb2.ReadContentResponse(info=content_info(selected.content), not_modified=selected.not_modified)
        first.body.content_type = first.info.content_type
        if selected.length is None:
            yield first
            return
        if selected.is_part:
            first.range.CopyFrom(docs_pb2.ContentRange(offset=selected.offset, length=selected.length))
        message = first
        async for chunk in self._reader.read(
            selected.view, selected.content, offset=selected.offset, length=selected.length
        ):
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
        selected = await self._select(request)
        response = docs_pb2.GetContentResponse(info=content_info(selected.content), not_modified=selected.not_modified)
        if selected.length is None:
            return response
        if selected.length > self._max_unary_bytes:
            response.data_omitted = True
            return response
        if selected.is_part:
            response.range.CopyFrom(docs_pb2.ContentRange(offset=selected.offset, length=selected.length))
        chunks = self._reader.read(selected.view, selected.content, offset=selected.offset, length=selected.length)
        data = b"".join([chunk async for chunk in chunks])
        response.body.CopyFrom(http_body(data, media_type(selected.content.path)))
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

    async def _select(self, request: ReadRequest) -> _Selected:
        view = await self._reader.open(entity_ref(request.entity), request.revision)
        content = view.locate(request.path)
        if holds(request.if_none_match, content.etag):
            return _Selected(view, content, not_modified=True, offset=0, length=None)
        offset, length = byte_range(content.size_bytes, offset=request.read_offset, limit=request.read_limit)
        wanted = None if request.view == docs_pb2.CONTENT_VIEW_INFO else length
        return _Selected(view, content, not_modified=False, offset=offset, length=wanted)


def holds(tags: Sequence[str], etag: str) -> bool:
    """Whether one of the entity tags is the current one, by weak comparison (RFC 9110, section 13.1.2)."""
    return any(tag == "*" or tag.removeprefix("W/") == etag for tag in tags)


def byte_range(size: int, *, offset: int, limit: int) -> tuple[int, int]:
    """Return the first byte and the number of bytes that a request means.

    A negative offset counts from the end and reaches at most to the start; limit
    0 means all to the end. Raises `RangeNotSatisfiable` for an offset past the
    end of a content, or at the end of one that has bytes.
    """
    if offset < 0:
        offset = max(0, size + offset)
    elif offset > size or (offset == size and size > 0):
        raise RangeNotSatisfiable(size)
    rest = size - offset
    return offset, min(limit, rest) if limit else rest
