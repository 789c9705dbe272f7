"""The two forms of content: a site for browsers under ``/docs``, and inert files for Backstage under ``/static/docs``."""

from __future__ import annotations

from techdocs.v1 import docs_pb2

from techdocs_bridge.backstage.static_docs import static_media_type
from techdocs_bridge.content_answer import ContentForm, Headers
from techdocs_bridge.exchange import Exchange
from techdocs_bridge.security_headers import site_headers, static_headers
from techdocs_bridge.site_pages import site_path

STATIC_PREFIX = "/static/docs/"


def is_static(exchange: Exchange) -> bool:
    """Return whether a request is for static documentation, whatever else is wrong with it."""
    return exchange.is_static or exchange.api_path.startswith(STATIC_PREFIX.encode())


def _site_media_type(info: docs_pb2.ContentInfo) -> str:
    return info.content_type or "application/octet-stream"


def _site_headers(exchange: Exchange, request: docs_pb2.GetContentRequest, media_type: str) -> Headers:
    """Not of pages only: a worker is bound by the policy its script came with."""
    return site_headers(exchange.origin.host, site_path(exchange, request.entity))


def _static_media_type(info: docs_pb2.ContentInfo) -> str:
    return static_media_type(info.path)


def _static_headers(exchange: Exchange, request: docs_pb2.GetContentRequest, media_type: str) -> Headers:
    return static_headers(media_type)


SITE = ContentForm(media_type=_site_media_type, headers=_site_headers, is_site=True)
STATIC = ContentForm(media_type=_static_media_type, headers=_static_headers, is_site=False)
