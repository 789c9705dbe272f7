"""The page of a site for what it does not have, with links that lead into the site.

MkDocs writes the links of ``404.html`` from the root of an origin, below the path of ``site_url``, because the page is
shown in place of any other (mkdocs/commands/build.py, ``_build_template``). Whoever builds a site cannot know where it
is served, so they lead past it, those to its styles included. They are turned to where the site is. Material writes
down what it took for the root of the site, and a page that does not say it is left alone.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from urllib.parse import quote

from techdocs.v1 import docs_pb2

from techdocs_bridge.client import CallContext
from techdocs_bridge.content_source import ContentSource, OpenedContent

_PATH = "404.html"
_MAX_BYTES = 4 * 1024 * 1024
"""Such a page is held whole. It has the navigation, which is some 200 bytes a page of the site; larger ones stay as they are."""

_ROOT = re.compile(rb'__md_scope=new URL\("(/[^"]*)",location\)')
# Where the theme puts links: attributes, and what it tells its scripts.
_BEFORE_LINKS = rb'(?:\b(?:href|src)="|\bURL\("|"(?:base|search)": ")'


def open_missing_page(
    source: ContentSource, request: docs_pb2.GetContentRequest, context: CallContext, *, site_path: str
) -> AbstractAsyncContextManager[OpenedContent]:
    """Open the page of the entity and the revision of a request.

    ``site_path`` is the decoded path of the site, from the root of the origin to the slash behind the entity. The bytes
    come also where the request is for information only, since they decide on the length.

    Raises:
        HTTPProblem: the site has no such page, or it cannot be had.
    """
    return _opened(source, request, context, quote(site_path, safe="/").encode())


@asynccontextmanager
async def _opened(
    source: ContentSource, request: docs_pb2.GetContentRequest, context: CallContext, site_path: bytes
) -> AsyncIterator[OpenedContent]:
    page = docs_pb2.GetContentRequest(entity=request.entity, path=_PATH, revision=request.revision)
    async with source.open(page, context) as opened:
        if opened.length > _MAX_BYTES:
            yield opened
            return
        placed = with_links_into(site_path, b"".join([chunk async for chunk in opened.chunks]))
        head = docs_pb2.GetContentResponse()
        head.CopyFrom(opened.head)
        head.info.size_bytes = len(placed)
        yield OpenedContent(head, _one(placed))


def with_links_into(site_path: bytes, page: bytes) -> bytes:
    """Return the page with the root that its links have replaced by ``site_path``, which is one of a URL.

    Links to other origins and within the page stay, as does a page whose links lead there already.
    """
    root = _ROOT.search(page)
    if root is None or root.group(1) == site_path:
        return page
    links = re.compile(b"(" + _BEFORE_LINKS + b")" + re.escape(root.group(1)) + rb"(?![/\\])")
    return links.sub(lambda link: link.group(1) + site_path, page)


async def _one(content: bytes) -> AsyncIterator[bytes]:
    yield content
